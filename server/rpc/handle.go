package rpc

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/go-kit/kit/endpoint"
	kithttp "github.com/go-kit/kit/transport/http"
)

// Options are the optional parts of Handle.
type Options struct {
	Limits     Limits
	Status     int                 // of a success; default 200
	Middleware endpoint.Middleware // around the service, after decoding
}

// None is the request or the response of a service that has none.
type None struct{}

// Handle makes a service an http.Handler: the request is decoded strictly from
// path, query and JSON body, the response encoded as JSON, the error mapped by
// Public. Req must be a struct.
func Handle[Req, Resp any](svc func(context.Context, Req) (Resp, error), o Options) http.Handler {
	o.Limits.fill()
	if o.Status == 0 {
		o.Status = http.StatusOK
	}
	var e endpoint.Endpoint = func(ctx context.Context, request any) (any, error) {
		return svc(ctx, request.(Req))
	}
	if o.Middleware != nil {
		e = o.Middleware(e)
	}
	decode := func(_ context.Context, r *http.Request) (any, error) {
		var req Req
		err := decodeRequest(r, &req, o.Limits)
		return req, err
	}
	encode := func(_ context.Context, w http.ResponseWriter, response any) error {
		body, err := json.Marshal(response)
		if err != nil {
			return err // nothing is written yet, so the error encoder answers
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(o.Status)
		w.Write(body)
		return nil
	}
	return kithttp.NewServer(e, decode, encode, kithttp.ServerErrorEncoder(
		func(ctx context.Context, err error, w http.ResponseWriter) { WriteError(ctx, w, err) }))
}
