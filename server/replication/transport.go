package replication

import (
	"context"
	"net/http"

	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Scopes is what a device may replicate.
type Scopes struct {
	Unit    string   `json:"unit"`
	Streams []Stream `json:"streams"`
}

// Stream is one of them.
type Stream struct {
	Unit     string `json:"unit"`
	Register string `json:"register"`
	Class    string `json:"class"` // basic or sensitive
}

// Routes are the requests that a device makes beside the exchange: what it
// needs before it can work without a network.
func (s *Server) Routes(definitions []*register.Definition) []rpc.Route {
	// Written as they are: a definition's bytes are canonical, and an encoder
	// would escape them anew.
	var all []byte
	for i, d := range definitions {
		all = append(append(all, "[,"[min(i, 1)]), d.Marshal()...)
	}
	all = append(all, ']')
	registers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Write(all)
	})
	scopes := func(ctx context.Context, _ rpc.None) (Scopes, error) {
		p, err := auth.FromContext(ctx)
		if err != nil {
			return Scopes{}, err
		}
		out := Scopes{Unit: p.Unit, Streams: []Stream{}}
		for _, offered := range s.cfg.Ledger.Offer(authorOf(p, false)) {
			class := "basic"
			if offered.Class == protocol.Sensitive {
				class = "sensitive"
			}
			out.Streams = append(out.Streams, Stream{offered.Unit, offered.Register, class})
		}
		return out, nil
	}
	return []rpc.Route{
		{Method: "GET", Path: "/api/v1/registers", Summary: "The definitions of all registers, newest version, as a JSON array", Media: "application/json", Handler: registers},
		rpc.New("GET", "/api/v1/scopes", "The streams that the caller's device may replicate", scopes, rpc.Options{}).For("officer", "supervisor"),
	}
}
