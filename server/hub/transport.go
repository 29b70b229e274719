package hub

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/sync/register"
)

// Routes are the hub's paths. Only accounts with the hub's role may use them.
func (f *Feed) Routes() []rpc.Route {
	counts := func(ctx context.Context, q struct {
		ID string `path:"id" json:"-"`
		At string `query:"at" json:"-" doc:"a cursor; absent: now"`
	}) (CountsReply, error) {
		p, err := auth.FromContext(ctx)
		if err != nil {
			return CountsReply{}, err
		}
		return f.Counts(ctx, p, q.ID, q.At)
	}
	routes := []rpc.Route{
		{Method: "GET", Path: "/hub/v1/datasets", Summary: "The catalogue of datasets (DCAT, JSON-LD)", Media: "application/ld+json", Handler: http.HandlerFunc(f.catalogue)},
		{Method: "GET", Path: "/hub/v1/datasets/{id}/schema", Summary: "A version of a dataset's JSON Schema; the newest if version is absent", Media: "application/schema+json", Handler: http.HandlerFunc(f.schema)},
		{Method: "GET", Path: "/hub/v1/datasets/{id}/changes", Summary: "What was approved after the cursor since, at most limit items, as NDJSON ended by a line with next_cursor and count", Media: "application/x-ndjson", Handler: http.HandlerFunc(f.changes)},
		rpc.New("GET", "/hub/v1/datasets/{id}/counts", "Count and hash of what stands approved, per unit, as of the cursor at, or now", counts, rpc.Options{}),
		rpc.New("POST", "/hub/v1/acks", "Acknowledge everything up to a cursor", f.Ack, rpc.Options{}),
	}
	for i := range routes {
		routes[i] = routes[i].For("hub")
	}
	return routes
}

func (f *Feed) catalogue(w http.ResponseWriter, r *http.Request) {
	datasets := []any{}
	for _, d := range f.cfg.Definitions {
		base := "/hub/v1/datasets/" + string(d.ID)
		datasets = append(datasets, map[string]any{
			"@type": "dcat:Dataset", "@id": base, "dct:identifier": string(d.ID),
			"dct:title":    []any{map[string]string{"@language": "vi", "@value": d.Label.VI}, map[string]string{"@language": "en", "@value": d.Label.EN}},
			"dct:language": []string{"vi", "en"}, "dcat:version": strconv.Itoa(int(d.Version)), "dct:provenance": d.Basis,
			"dct:spatial": "units of list " + register.UnitListVersion,
			"dcat:distribution": []any{map[string]any{"@type": "dcat:Distribution", "dcat:accessURL": base + "/changes",
				"dcat:mediaType": "application/x-ndjson", "dct:conformsTo": base + "/schema?version=" + strconv.Itoa(int(d.Version))}},
		})
	}
	writeJSON(w, r, "application/ld+json", map[string]any{
		"@context": map[string]string{"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/"},
		"@type":    "dcat:Catalog", "@id": "/hub/v1/datasets", "dct:title": "Wardbook", "dcat:dataset": datasets,
	})
}

func (f *Feed) schema(w http.ResponseWriter, r *http.Request) {
	def, err := f.definition(r.PathValue("id"))
	if err != nil {
		rpc.WriteError(r.Context(), w, err)
		return
	}
	if v := r.URL.Query().Get("version"); v != "" && v != strconv.Itoa(int(def.Version)) {
		rpc.WriteError(r.Context(), w, ErrVersion)
		return
	}
	w.Header().Set("Content-Type", "application/schema+json; charset=utf-8")
	w.Write(register.JSONSchema(def))
}

func (f *Feed) changes(w http.ResponseWriter, r *http.Request) {
	p, err := auth.FromContext(r.Context())
	if err != nil {
		rpc.WriteError(r.Context(), w, err)
		return
	}
	limit := 0
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			rpc.WriteError(r.Context(), w, rpc.ErrInvalid.At("limit"))
			return
		}
	}
	out := &lateHeader{w: w}
	if err := f.Changes(r.Context(), p, r.PathValue("id"), r.URL.Query().Get("since"), limit, out); err != nil {
		if !out.begun {
			rpc.WriteError(r.Context(), w, err)
		}
		// Otherwise the page is cut: it lacks its end, and the consumer sees it.
	}
}

// lateHeader sends the header with the first line, so that an error before it
// can still be told.
type lateHeader struct {
	w     http.ResponseWriter
	begun bool
}

func (l *lateHeader) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	}
	return l.w.Write(b)
}

func writeJSON(w http.ResponseWriter, r *http.Request, kind string, v any) {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		rpc.WriteError(r.Context(), w, err)
		return
	}
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Write(append(b, '\n'))
}
