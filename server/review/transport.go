package review

import (
	"net/http"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

// Routes returns the desk's part of the API.
func (s *Service) Routes() []rpc.Route {
	supervisor := string(store.RoleSupervisor)
	decision := rpc.Options{Limits: rpc.Limits{Body: 256 << 10}}
	return []rpc.Route{
		rpc.New(http.MethodGet, "/api/v1/review/queue", "What waits for a supervisor, judged: conflicts, what wants eyes, what is clean", s.Queue, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodGet, "/api/v1/review/records/{id}", "One record with its approved and merged values", s.Record, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/review/approve", "Approve all or some fields as they were shown", s.Approve, decision).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/review/settle", "Choose one value of a field", s.Settle, decision).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/review/return", "Ask the authors about fields", s.Return, decision).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/review/refuse", "Write the approved values back", s.Refuse, decision).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/review/withdraw", "Take an approval back", s.Withdraw, decision).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/review/batch", "Approve many records, each judged by itself", s.Batch, rpc.Options{Limits: rpc.Limits{Body: 2 << 20}}).For(supervisor),
		rpc.New(http.MethodGet, "/api/v1/records", "Search a register of the caller's unit, masked; audited", s.Find, rpc.Options{}).For(string(store.RoleOfficer), supervisor),
		rpc.New(http.MethodGet, "/api/v1/neighbourhoods", "The neighbourhoods that records of a register name", s.Neighbourhoods, rpc.Options{}).For(string(store.RoleOfficer), supervisor),
		rpc.New(http.MethodGet, "/api/v1/records/{id}/history", "Every write of a record and what became of it", s.History, rpc.Options{}).For(string(store.RoleOfficer), supervisor),
		rpc.New(http.MethodPost, "/api/v1/records/{id}/reveal", "Show a masked value; audited", s.Reveal, rpc.Options{}).For(string(store.RoleOfficer), supervisor),
		rpc.New(http.MethodGet, "/api/v1/quarantine", "Changesets kept aside in the unit", s.Quarantine, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/quarantine/{id}/release", "Apply a changeset out of quarantine", s.Release, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/quarantine/{id}/reject", "Settle an entry without applying it", s.Reject, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/records/move", "Send records, or a household, to another unit", s.Move, rpc.Options{}).For(string(store.RoleOfficer), supervisor),
		rpc.New(http.MethodGet, "/api/v1/moves", "Records that were sent to the unit and wait to be taken over", s.Arrivals, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/moves/accept", "Take over records that were sent to the unit", s.Accept, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodPost, "/api/v1/moves/return", "Send records back to the units that they came from", s.GiveBack, rpc.Options{}).For(supervisor),
		rpc.New(http.MethodGet, "/api/v1/tallies", "What became of an officer's work: one's own, or the unit's officers'", s.Tallies, rpc.Options{}).For(string(store.RoleOfficer), supervisor),
		rpc.New(http.MethodGet, "/api/v1/unit/day", "The unit's day in small numbers", s.Day, rpc.Options{}).For(supervisor),
	}
}
