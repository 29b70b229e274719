package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"wardbook/server/rpc"
)

// Admit implements rpc.Gate: it reads the bearer token from the request's
// header, and nowhere else, and lets those pass whom the route is for.
func (s *Service) Admit(r *http.Request, route rpc.Route) (context.Context, error) {
	p, err := s.AuthenticateRequest(r)
	if err != nil {
		return nil, err
	}
	rpc.NameCaller(r.Context(), string(p.Account))
	if p.MustChange && !route.BeforeChange {
		return nil, ErrMustChange
	}
	if len(route.Roles) > 0 && !slices.Contains(route.Roles, string(p.Role)) {
		return nil, rpc.ErrForbidden
	}
	return NewContext(r.Context(), p), nil
}

// AuthenticateRequest returns whom the request's Authorization header names.
func (s *Service) AuthenticateRequest(r *http.Request) (Principal, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return Principal{}, rpc.ErrUnauthenticated
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Principal{}, rpc.ErrUnauthenticated
	}
	return s.Authenticate(r.Context(), strings.TrimSpace(token))
}
