package city

import (
	"fmt"
	"slices"
	"time"

	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// working lists the units in which somebody works, and which the list has.
func (w *world) working() (codes []string) {
	list := w.server.directory.List()
	for _, p := range people {
		if p.unit == "" {
			continue
		}
		unit := w.server.account(p.id).Unit
		if _, open := list.Unit(unit); open && !slices.Contains(codes, unit) {
			codes = append(codes, unit)
		}
	}
	slices.Sort(codes)
	return codes
}

// someUnit chooses one of them.
func (w *world) someUnit(bits uint32) string {
	codes := w.working()
	if len(codes) == 0 {
		return unitC
	}
	return codes[int(bits)%len(codes)]
}

// office is what administrators do.
func (w *world) office(op Op, a, bits uint32) {
	s := w.server
	p := people[int(a)%(len(people)-1)]
	switch op {
	case opPost:
		unit := w.someUnit(bits)
		w.alter(p, auth.Change{Unit: &unit}, protocol.Expired)
	case opClose:
		closed := !s.account(p.id).Disabled
		w.alter(p, auth.Change{Disabled: &closed}, protocol.Revoked)
	case opRevoke:
		d := w.devices[int(a)%len(w.devices)]
		err := s.do(func() error { return s.accounts.RevokeDevice(ctx, auth.Console(), d.p.Device, "lost", bits&1 == 0) })
		if err == nil {
			for _, c := range w.devices {
				c.closed = c.closed || c.p.Device == d.p.Device // a clone is the same device to everybody
			}
			s.dismiss(protocol.Revoked, func(o *device) bool { return o.p.Device == d.p.Device })
		}
		w.refused("revoke a device", err)
	case opUnits:
		w.change(bits)
	case opRetire:
		w.clock += []int64{31 * day, 401 * day}[bits&1]
		var n []ledger.Retirement
		err := s.do(func() error {
			return s.store.Update(ctx, func(tx *sqlite.Tx) (err error) { n, err = s.led.Retire(sqlite.LedgerOf(tx), 100); return err })
		})
		w.refused("retire", err)
		w.logf("  retired %d", len(n))
		w.tick()
	}
}

// refused ends the run at an error that is not a refusal in words, nor the end of the
// process.
func (w *world) refused(what string, err error) bool {
	if err == nil || err == errDied {
		return false
	}
	if e := rpc.Public(err); e.Kind == rpc.Internal || e.Kind == rpc.Unavailable {
		w.fail(oracleEffects, "%s: %v", what, err)
	}
	return true
}

func (w *world) alter(p *person, c auth.Change, code protocol.Code) {
	s := w.server
	err := s.do(func() error { _, err := s.accounts.Alter(ctx, auth.Console(), p.id, c); return err })
	if !w.refused("alter an account", err) && err == nil {
		s.dismiss(code, func(d *device) bool { return d.owner == p })
	}
}

// change puts a new list of units into force.
func (w *world) change(bits uint32) {
	s := w.server
	codes := w.working()
	if len(codes) < 2 {
		return
	}
	old := codes[int(bits>>4)%len(codes)]
	other := codes[(int(bits>>4)+1+int(bits>>7)%(len(codes)-1))%len(codes)]
	fresh := func() string {
		w.codes++
		return fmt.Sprint(30000 + w.codes)
	}
	list := s.directory.List()
	named := func(code string) units.Named {
		return units.Named{Code: code, NameVI: "Phường " + code, NameEN: "Ward " + code, Kind: string(register.Ward)}
	}
	var req units.ChangeRequest
	switch bits & 15 {
	case 0, 1, 2, 3: // another code
		one := fresh()
		req.Units, req.Changes = []units.Named{named(one)}, []units.Successor{{Old: old, New: []string{one}}}
	case 4, 5, 6: // one takes another over
		req.Changes = []units.Successor{{Old: old, New: []string{other}}}
	case 7: // two become a third
		one := fresh()
		req.Units, req.Changes = []units.Named{named(one)}, []units.Successor{{Old: old, New: []string{one}}, {Old: other, New: []string{one}}}
	case 8, 9: // split into new ones
		one, two := fresh(), fresh()
		req.Units, req.Changes = []units.Named{named(one), named(two)}, []units.Successor{{Old: old, New: []string{one, two}}}
	case 10, 11: // a part is given to another
		req.Changes = []units.Successor{{Old: old, New: []string{old, other}}}
	case 12: // codes are swapped
		req.Changes = []units.Successor{{Old: old, New: []string{other}}, {Old: other, New: []string{old}}}
	default: // another name
		req.Units = []units.Named{named(old)}
	}
	for {
		if req.Version = time.UnixMilli(w.clock).UTC().Add(7 * time.Hour).Format(time.DateOnly); req.Version > list.Version {
			break
		}
		w.clock += day
	}
	before := map[store.AccountID]string{}
	for _, p := range people {
		before[p.id] = s.account(p.id).Unit
	}
	var out units.ChangeResponse
	err := s.do(func() (err error) { out, err = s.units.ChangeAs(ctx, auth.Console(), req); return err })
	if w.refused("change the units", err) || err != nil {
		return
	}
	w.logf("  %v: %d moved, %d waiting, %d accounts", req.Changes, out.Moved, out.Waiting, out.Accounts)
	w.changed = append(w.changed, req)
	w.bugChange(req)
	s.dismiss(protocol.Expired, func(d *device) bool { return before[d.owner.id] != s.account(d.owner.id).Unit })
}

// changeAgain makes the changes of units again that a restored server has lost, as
// its administrator does before anybody connects.
func (w *world) changeAgain() {
	lost := w.changed[w.inBackup:]
	w.changed = w.changed[:w.inBackup]
	for _, req := range lost {
		_, err := w.server.units.ChangeAs(ctx, auth.Console(), req)
		w.refused("change the units again", err)
		if err == nil {
			w.changed = append(w.changed, req)
		}
	}
}
