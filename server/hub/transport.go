package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/sync/register"
)

type schemaRequest struct {
	ID      string `path:"id" json:"-"`
	Version uint32 `query:"version" json:"-" doc:"absent: the newest"`
}

type changesRequest struct {
	ID    string `path:"id" json:"-"`
	Since string `query:"since" json:"-" doc:"the next_cursor of the page before; absent: from the beginning"`
	Limit int    `query:"limit" json:"-" doc:"lines of the page, 1 to 5000; absent: 1000"`
}

// Routes are the hub's paths. Only accounts with the hub's role may use them.
func (f *Feed) Routes() []rpc.Route {
	stream := func(path, summary, media string, request any, answer func(http.ResponseWriter, *http.Request) error) rpc.Route {
		return rpc.Route{Method: "GET", Path: path, Summary: summary, Media: media, Request: request,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := f.limit(r.Context())
				if err == nil {
					err = answer(w, r)
				}
				if err != nil {
					rpc.WriteError(r.Context(), w, err)
				}
			})}
	}
	routes := []rpc.Route{
		stream("/hub/v1/datasets", "The catalogue of datasets (DCAT, JSON-LD)", "application/ld+json", nil, f.serveCatalogue),
		stream("/hub/v1/datasets/{id}/schema", "A version of a dataset's JSON Schema (2020-12)", "application/schema+json", schemaRequest{}, f.serveSchema),
		stream("/hub/v1/datasets/{id}/changes", "What was approved after a cursor, as NDJSON ended by a line with next_cursor and count", "application/x-ndjson", changesRequest{}, f.serveChanges),
		rpc.New("GET", "/hub/v1/datasets/{id}/counts", "Count and hash of what stands approved, per unit, as of a cursor or now", limited(f, f.Counts), rpc.Options{}),
		rpc.New("POST", "/hub/v1/acks", "Acknowledge everything up to a cursor", limited(f, f.Ack), rpc.Options{}),
	}
	for i := range routes {
		routes[i] = routes[i].For(string(store.RoleHub))
	}
	return routes
}

// limit refuses an account that asks too often.
func (f *Feed) limit(ctx context.Context) error {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return err
	}
	return f.limiter.Allow(string(p.Account))
}

func limited[Req, Resp any](f *Feed, svc func(context.Context, Req) (Resp, error)) func(context.Context, Req) (Resp, error) {
	return func(ctx context.Context, q Req) (Resp, error) {
		if err := f.limit(ctx); err != nil {
			var none Resp
			return none, err
		}
		return svc(ctx, q)
	}
}

// query returns the parameters of a request, each of which must be named here and
// given once: a since that is misspelt must not mean the beginning.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, rpc.ErrMalformed.Because(err)
	}
	for name, texts := range q {
		if !slices.Contains(names, name) {
			return nil, rpc.ErrUnknownField
		}
		if len(texts) > 1 {
			return nil, rpc.ErrDuplicateField.At(name)
		}
	}
	return q, nil
}

func (f *Feed) serveCatalogue(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	datasets := []any{}
	version, _ := f.cfg.List()
	for _, d := range f.catalogue() {
		datasets = append(datasets, map[string]any{
			"@type": "dcat:Dataset", "@id": d.path(), "dct:identifier": string(d.ID),
			"dct:title":    []any{map[string]string{"@language": "vi", "@value": d.Label.VI}, map[string]string{"@language": "en", "@value": d.Label.EN}},
			"dct:language": []string{"vi", "en"}, "dcat:version": strconv.FormatUint(uint64(d.Version), 10),
			"dct:spatial": "units of list " + version,
			"dcat:distribution": []any{map[string]any{"@type": "dcat:Distribution", "dcat:accessURL": d.path() + "/changes",
				"dcat:mediaType": "application/x-ndjson", "dct:conformsTo": d.schemaPath()}},
		})
	}
	b, err := json.MarshalIndent(map[string]any{
		"@context": map[string]string{"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/"},
		"@type":    "dcat:Catalog", "@id": "/hub/v1/datasets", "dct:title": "Wardbook", "dcat:dataset": datasets,
	}, "", " ")
	if err != nil {
		return err
	}
	write(w, "application/ld+json", append(b, '\n'))
	return nil
}

func (f *Feed) serveSchema(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "version")
	if err != nil {
		return err
	}
	set, err := f.newest(r.PathValue("id"))
	if err != nil {
		return err
	}
	if q.Has("version") {
		n, err := strconv.ParseUint(q.Get("version"), 10, 32)
		if err != nil {
			return rpc.ErrInvalid.At("version").Because(err)
		}
		if set, err = f.version(string(set.ID), uint32(n)); err != nil {
			return err
		}
	}
	write(w, "application/schema+json", register.JSONSchema(&set.public))
	return nil
}

// slowest is how long a consumer may take to read one page.
const slowest = 5 * time.Minute

func (f *Feed) serveChanges(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "since", "limit")
	if err != nil {
		return err
	}
	limit := 0
	if q.Has("limit") {
		if limit, err = strconv.Atoi(q.Get("limit")); err != nil || limit < 1 {
			return rpc.ErrInvalid.At("limit").Because(err)
		}
	}
	page, err := f.Changes(r.Context(), r.PathValue("id"), q.Get("since"), limit)
	if err != nil {
		return pointed(err, map[string]string{ErrDataset.Code: "id", ErrCursor.Code: "since"})
	}
	end, err := encode(page.End)
	if err != nil {
		return err
	}
	// Not every writer has deadlines; those of real connections do, and keep
	// them for the next request.
	conn := http.NewResponseController(w)
	conn.SetWriteDeadline(time.Now().Add(slowest))
	defer conn.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	for _, line := range append(page.Lines, end) {
		if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
			return nil // the page is cut: it lacks its end, and the consumer sees it
		}
	}
	return nil
}

func write(w http.ResponseWriter, kind string, b []byte) {
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}
