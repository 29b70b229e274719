package rpc

import (
	"context"
	"net/http"
	"time"
)

// Route is one row of the table from which both the served paths and their
// document come.
type Route struct {
	Method  string
	Path    string // as net/http's mux has it: /api/v1/accounts/{id}
	Summary string // one line for the document
	Public  bool   // nobody need be signed in
	// BeforeChange lets accounts in that must first change their password.
	BeforeChange bool
	Roles        []string // who may call; empty: anybody signed in
	Request      any      // a zero request struct; nil: none
	Response     any      // a zero response; nil: described by Media alone
	Media        string   // of the response; default application/json
	Status       int      // of a success; default 200
	// Timeout bounds the request's work; zero: the server's own, negative: none.
	Timeout time.Duration
	Handler http.Handler
}

// New returns the route of a service, its types taken from the service itself.
// Set Public, Roles and the like on the result.
func New[Req, Resp any](method, path, summary string, svc func(context.Context, Req) (Resp, error), o Options) Route {
	var req Req
	var resp Resp
	return Route{
		Method: method, Path: path, Summary: summary, Request: req, Response: resp, Status: o.Status,
		Handler: Handle(svc, o),
	}
}

// For returns a copy of the route open to the given roles only.
func (r Route) For(roles ...string) Route {
	r.Roles = roles
	return r
}

// Open returns a copy of the route for which nobody need be signed in.
func (r Route) Open() Route {
	r.Public = true
	return r
}
