package auth

import (
	"fmt"
	"slices"
	"strings"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

// Action is what somebody wants to do.
type Action int

// The actions. All but Administer concern one unit's data of one class.
const (
	ReadRecord  Action = iota + 1 // read, list, search, count, see history or conflicts
	WriteRecord                   // create, edit, delete, settle, submit
	Review                        // see the queue; approve, return, refuse, withdraw
	Reveal                        // see an identity or phone number unmasked
	HubPull                       // take approved data for the city
	Administer                    // accounts, devices, codes, the audit log; no person data
)

var actionNames = map[Action]string{
	ReadRecord: "read", WriteRecord: "write", Review: "review", Reveal: "reveal", HubPull: "hub pull", Administer: "administer",
}

func (a Action) String() string {
	if s, ok := actionNames[a]; ok {
		return s
	}
	return fmt.Sprintf("action %d", int(a))
}

// Class is how closely a field is held.
type Class int

// The classes of the register's fields. High-risk fields are Basic or Sensitive
// here: their risk is review's concern.
const (
	Basic Class = iota + 1
	Sensitive
)

func (c Class) String() string {
	switch c {
	case Basic:
		return "basic"
	case Sensitive:
		return "sensitive"
	}
	return fmt.Sprintf("class %d", int(c))
}

// Can says whether p may do the action on data of the unit and class: nil, or an
// error that wraps rpc.ErrForbidden or ErrMustChange. It is the only place that
// decides this; every path to a row or field asks it, give-back and quarantine
// included. What it does not know it refuses.
//
// Administer concerns no person data: unit and class are not looked at.
func Can(p Principal, action Action, unit string, class Class) error {
	if p.MustChange {
		return ErrMustChange
	}
	if action == Administer {
		if p.Role == store.RoleAdmin {
			return nil
		}
		return refuse(p, action)
	}
	if unit == "" || (class != Basic && class != Sensitive) {
		return refuse(p, action)
	}
	if class == Sensitive && !p.Sensitive {
		return refuse(p, action)
	}
	switch action {
	case ReadRecord, WriteRecord, Reveal:
		if (p.Role == store.RoleOfficer || p.Role == store.RoleSupervisor) && p.inUnit(unit) {
			return nil
		}
	case Review:
		if p.Role == store.RoleSupervisor && p.inUnit(unit) {
			return nil
		}
	case HubPull:
		if p.Role == store.RoleHub {
			return nil
		}
	}
	return refuse(p, action)
}

// inUnit reports whether a unit is p's own, or one in which records wait that may
// come to be p's own unit's.
func (p Principal) inUnit(unit string) bool {
	return p.Unit == unit || slices.Contains(strings.Fields(p.Waiting), unit)
}

// refuse says no more to the caller than "forbidden": whether the unit or the
// record exists is not theirs to learn.
func refuse(p Principal, action Action) error {
	return rpc.ErrForbidden.Because(fmt.Errorf("role %q may not %s there", p.Role, action))
}
