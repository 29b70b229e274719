package units

import (
	"net/http"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

// Routes returns the part of the API that is about units.
func (s *Service) Routes() []rpc.Route {
	admin := string(store.RoleAdmin)
	return []rpc.Route{
		rpc.New(http.MethodGet, "/api/v1/units", "The units of the list in force", s.Units, rpc.Options{}),
		rpc.New(http.MethodGet, "/api/v1/units/waiting", "Records of split units that wait to be assigned", s.Waiting, rpc.Options{}).
			For(admin, string(store.RoleOfficer), string(store.RoleSupervisor)),
		rpc.New(http.MethodPost, "/api/v1/units/changes", "Split, merge or rename units by a new list", s.Change, rpc.Options{Limits: rpc.Limits{Body: 1 << 20}}).For(admin),
	}
}
