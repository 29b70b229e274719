package replication

import (
	"context"
	"encoding/json"

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
	bodies := make([]json.RawMessage, len(definitions))
	for i, d := range definitions {
		bodies[i] = d.Marshal()
	}
	registers := func(context.Context, rpc.None) ([]json.RawMessage, error) { return bodies, nil }
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
		rpc.New("GET", "/api/v1/registers", "The definitions of all registers, newest version", registers, rpc.Options{}),
		rpc.New("GET", "/api/v1/scopes", "The streams that the caller's device may replicate", scopes, rpc.Options{}).For("officer", "supervisor"),
	}
}
