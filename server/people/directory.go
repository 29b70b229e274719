package people

import (
	"context"
	"net/http"

	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// most bounds the directory; whoever comes behind is called by the account's
// name. A ward has some thirty accounts.
const most = 2000

// Directory answers who is who. It is safe for concurrent use.
type Directory struct{ store *sqlite.Store }

// New returns the directory over st.
func New(st *sqlite.Store) *Directory { return &Directory{store: st} }

// Person is one account as the records of a unit may show it.
type Person struct {
	Name    string     `json:"name" doc:"what stands in records, and what one signs in with"`
	Display string     `json:"display_name" doc:"what people call them"`
	Role    store.Role `json:"role" enum:"officer,supervisor,hub,admin"`
}

// Answer is the directory of one unit, by name.
type Answer struct {
	People []Person `json:"people"`
}

// People returns the directory of the caller's unit.
func (d *Directory) People(ctx context.Context, _ rpc.None) (Answer, error) {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{People: []Person{}}
	err = d.store.View(ctx, func(tx *sqlite.Tx) error {
		if p, err = auth.Current(tx, p, d.store.Now()); err != nil {
			return err
		}
		if err := auth.Can(p, auth.ReadRecord, p.Unit, auth.Basic); err != nil {
			return err
		}
		known, err := tx.KnownIn(p.Unit, most)
		for _, a := range known {
			out.People = append(out.People, Person{a.Name, a.DisplayName, a.Role})
		}
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	return out, nil
}

// Routes returns the directory's part of the API.
func (d *Directory) Routes() []rpc.Route {
	return []rpc.Route{
		rpc.New(http.MethodGet, "/api/v1/people", "What to call the accounts that stand in the unit's records", d.People, rpc.Options{}).
			For(string(store.RoleOfficer), string(store.RoleSupervisor)),
	}
}
