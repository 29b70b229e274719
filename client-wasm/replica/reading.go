package replica

import (
	"encoding/binary"
	"hash/fnv"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// reading is what follows from what is held of one record.
type reading struct {
	*Holding
	def       *register.Definition // nil if the device does not know the register
	head      conflict.Record
	values    map[string]conflict.Value // what each field shows, by name; cleared fields are left out
	conflicts []string                  // names of the fields where a person has to choose
	life      conflict.LifeState
	standing  record.Standing
	ghost     bool // there is no head, only what is in quarantine
}

// read derives everything from a holding.
func (r *Replica) read(h *Holding) *reading {
	n := r.glance(h)
	n.show()
	return n
}

// glance derives everything but the values: all that flags are made from. It
// is what a page's records are looked at with, tens of thousands a second.
func (r *Replica) glance(h *Holding) *reading {
	n := &reading{Holding: h, def: r.definition(h.Register), head: r.head(h)}
	if n.head.Len() == 0 && len(h.Entries) > 0 {
		n.ghost = true
		for i := range h.Entries {
			n.head = h.Entries[i].apply(n.head, h.ID)
		}
	}
	n.life = n.head.Life()
	n.standing = record.StandingOf(n.head)
	if n.def == nil {
		return n
	}
	for k, field := range n.head.All() {
		if field.Len() < 2 || k.ID < conflict.FirstUserField {
			continue
		}
		if f := n.def.FieldByID(k.ID); f != nil && f.Policy != conflict.Union && field.View(f.Policy, register.ViewRules(f)).Conflict {
			n.conflicts = append(n.conflicts, f.Name)
		}
	}
	return n
}

// show fills in the values.
func (n *reading) show() {
	n.values = map[string]conflict.Value{}
	if n.def == nil {
		return
	}
	for i := range n.def.Fields {
		f := &n.def.Fields[i]
		if v := shown(n.head, f); v != "" {
			n.values[f.Name] = v
		}
	}
}

// shown returns the value of a field that people see.
func shown(head conflict.Record, f *register.Field) conflict.Value {
	if f.Policy == conflict.Union {
		return register.JoinElements(head.Union(f.ID))
	}
	field := head.Field(conflict.Key(f.ID))
	if field.Len() == 1 {
		return field.At(0).Value
	}
	return field.View(f.Policy, register.ViewRules(f)).Shown.Value
}

// title returns what the record is called by.
func (n *reading) title(lang string) string {
	if n.def == nil {
		return n.ID.String()
	}
	if t := register.Mask(n.def, n.def.TitleField, n.values[n.def.TitleField], lang); t != "" {
		return t
	}
	for _, name := range n.def.ListColumns {
		if t := register.Mask(n.def, name, n.values[name], lang); t != "" {
			return t
		}
	}
	return n.ID.String()
}

// pendingHere reports whether a change of the record is on this device only.
func (r *Replica) pendingHere(h *Holding) bool {
	return slices.ContainsFunc(h.Entries, func(e Entry) bool { return e.Refusal == nil && !r.acked(&e) })
}

func (n *reading) quarantined() bool {
	return slices.ContainsFunc(n.Entries, func(e Entry) bool { return e.Refusal != nil })
}

// place says how far the record's last change has come.
func (r *Replica) place(n *reading) Place {
	switch {
	case n.ghost && slices.ContainsFunc(n.Entries, func(e Entry) bool { return !r.acked(&e) }), r.pendingHere(n.Holding):
		return PlaceLocal
	case n.ghost:
		return PlaceReceived // durable at the server, though held back there
	case len(n.standing.Waiting) > 0 || n.standing.Stage == record.StageReturned:
		return PlaceReceived
	case n.standing.Stage == record.StageRefused && n.standing.Review.Revision == 0, n.standing.Review.Decision == "":
		return PlaceReceived
	}
	rev := n.standing.Review.Revision
	// A revision is one of its unit's: of a record that moved it must say whose.
	moved := n.standing.Review.Unit != n.Unit && (n.standing.Review.Unit != "" || n.head.Field(conflict.Key(conflict.FieldHome)).Len() > 0)
	if rev > 0 && !moved && rev <= r.hub[protocol.HubMark{Unit: n.Unit, Register: n.Register}] {
		return PlaceHub
	}
	return PlaceApproved
}

// stage is the record's stage; what is in quarantine comes first, since only
// its author can do something about it.
func (n *reading) stage() record.Stage {
	if n.quarantined() {
		return record.StageQuarantined
	}
	return n.standing.Stage
}

func (n *reading) flags(account string) Flags {
	var f Flags
	set := func(flag Flags, on bool) {
		if on {
			f |= flag
		}
	}
	mine := false
	for k, field := range n.head.All() {
		for i := 0; i < field.Len() && !mine; i++ {
			mine = k.ID != conflict.FieldReview && field.At(i).Origin.Author == account
		}
	}
	set(FlagMine, mine)
	set(FlagQuarantined, n.quarantined())
	set(FlagGhost, n.ghost)
	if n.ghost {
		return f
	}
	set(FlagConflict, len(n.conflicts) > 0 && n.life != conflict.Deleted || n.life == conflict.EditedAndDeleted)
	set(FlagDeleted, n.life == conflict.Deleted)
	set(FlagDraft, len(n.standing.Drafts) > 0)
	set(FlagReturned, n.standing.Stage == record.StageReturned)
	set(FlagRefused, n.standing.Stage == record.StageRefused)
	_, unchecked := record.UncheckedOf(n.head)
	set(FlagUnchecked, unchecked && n.life != conflict.Deleted)
	return f
}

// index derives what the record is found by. What the store's index holds
// already is taken over where nothing that it rests on has changed since head
// before: folding text is the greater part of the work when a page arrives.
func (r *Replica) index(n *reading, before *conflict.Record) Index {
	flags := n.flags(r.meta.Account.Name)
	if before != nil && n.def != nil && n.Index.Sort != "" && !n.ghost && r.sameFound(n.def, *before, n.head) {
		x := n.Index
		x.Flags = flags
		return x
	}
	x := Index{Sort: idBytes(n.ID), Flags: flags}
	if n.def == nil {
		return x
	}
	clear(r.values)
	for _, f := range r.foundBy(n.def) {
		if v := shown(n.head, f); v != "" {
			r.values[f.Name] = v
		}
	}
	x.Sort = collate(string(r.values[n.def.TitleField])) + "\x00" + x.Sort
	x.Search = register.SearchText(n.def, r.values)
	for i := range n.def.Rules {
		for _, names := range lookedUp(&n.def.Rules[i]) {
			if key, ok := lookupKey(n.Register, n.Unit, names, r.values); ok {
				x.Keys = append(x.Keys, key)
			}
		}
	}
	for _, text := range register.TwinKeys(n.def, r.values) {
		x.Keys = append(x.Keys, twinKey(n.Register, n.Unit, text))
	}
	for _, k := range twinsNamed(n.head) {
		x.Keys = append(x.Keys, namedKey(k.Elem))
	}
	slices.Sort(x.Keys)
	x.Keys = slices.Compact(x.Keys)
	return x
}

// foundBy returns the fields that sorting, searching and looking up rest on.
func (r *Replica) foundBy(def *register.Definition) []*register.Field {
	fields, ok := r.found[def]
	if !ok {
		names := map[string]bool{def.TitleField: true}
		for i := range def.Rules {
			for _, set := range lookedUp(&def.Rules[i]) {
				for _, name := range set {
					names[name] = true
				}
			}
		}
		for _, name := range register.TwinFields(def) {
			names[name] = true
		}
		for i := range def.Fields {
			if f := &def.Fields[i]; f.Search || names[f.Name] {
				fields = append(fields, f)
			}
		}
		r.found[def] = fields
	}
	return fields
}

// sameFound reports whether nothing of that differs between two heads.
func (r *Replica) sameFound(def *register.Definition, a, b conflict.Record) bool {
	for _, f := range r.foundBy(def) {
		if shown(a, f) != shown(b, f) {
			return false
		}
	}
	return slices.Equal(twinsNamed(a), twinsNamed(b))
}

// lookedUp returns the sets of fields under whose values a rule asks for other
// records; see register.Lookup.
func lookedUp(rule *register.Rule) [][]string {
	switch rule.Kind {
	case register.RuleUnique:
		return [][]string{rule.Fields}
	case register.RuleOnePer:
		return [][]string{append(slices.Clone(rule.Fields), rule.Field)}
	case register.RuleReciprocal:
		return [][]string{{rule.Other}}
	}
	return nil
}

// lookupKey hashes the values of the named fields; ok is false if one of them
// is empty. Different values may share a key: who looks up compares.
func lookupKey(reg, unit string, names []string, values map[string]conflict.Value) (key uint64, ok bool) {
	names = slices.Clone(names)
	slices.Sort(names)
	h := fnv.New64a()
	write := func(s string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	write(reg)
	write(unit)
	for _, name := range names {
		if values[name] == "" {
			return 0, false
		}
		write(name)
		write(string(values[name]))
	}
	return h.Sum64(), true
}

// idBytes is a record id in a form that sorts.
func idBytes(id conflict.RecordID) string {
	return string(binary.BigEndian.AppendUint64(slices.Clone(id.Replica[:]), id.Counter))
}

// put adds h with its index to b, and counts. before is the head that the
// store's index was made from, if the caller has it.
func (r *Replica) put(b *Batch, counts *Counts, h Holding, before *conflict.Record) *reading {
	n := r.glance(&h)
	old := h.Index
	if r.erased[h.ID] { // whatever would bring it back
		b.Drop = append(b.Drop, h.ID)
		counts.move(old.Flags, 0)
		return n
	}
	h.Index = r.index(n, before)
	counts.move(old.Flags, h.Index.Flags)
	if before != nil && old.Sort != "" && !h.Left && sameIndex(old, h.Index) {
		b.Rebase = append(b.Rebase, h)
	} else {
		h.Known = old.Keys
		b.Put = append(b.Put, h)
	}
	return n
}

func sameIndex(a, b Index) bool {
	return a.Flags == b.Flags && a.Sort == b.Sort && a.Search == b.Search && slices.Equal(a.Keys, b.Keys)
}

// move counts one record whose flags went from one to other.
func (c *Counts) move(from, to Flags) {
	step := func(n *int, flag Flags) {
		if from&flag != 0 {
			*n--
		}
		if to&flag != 0 {
			*n++
		}
	}
	step(&c.Conflicts, FlagConflict)
	step(&c.Returned, FlagReturned|FlagRefused)
	step(&c.Quarantined, FlagQuarantined)
}

// class returns the privacy class of a field, Basic if it is not known.
func class(def *register.Definition, k conflict.FieldKey) protocol.Class {
	if def != nil && k.ID >= conflict.FirstUserField {
		if f := def.FieldByID(k.ID); f != nil && f.Class == register.Sensitive {
			return protocol.Sensitive
		}
	}
	return protocol.Basic
}

// mayDelete reports whether the device holds the whole record: who holds only
// a part cannot say that all of it is to go.
func (r *Replica) mayDelete(n *reading) bool {
	if n.Base.Len() == 0 {
		return !n.ghost // made here, and nobody else has it
	}
	if n.def == nil {
		return false
	}
	for _, c := range []protocol.Class{protocol.Basic, protocol.Sensitive} {
		stream := protocol.Stream{Unit: n.Unit, Register: n.Register, Class: c}
		if (c == protocol.Basic || sensitive(n.def)) && !(r.holds(stream) && r.stream(stream).whole()) {
			return false
		}
	}
	return true
}

// seenOnly returns the part of head that somebody had on the screen, or wrote
// in changeset own: siblings that arrived since are left out.
func seenOnly(head conflict.Record, seen map[conflict.FieldKey]conflict.Vector, own record.Changeset) conflict.Record {
	first, last := own.Dot, own.Last()
	for k, f := range head.All() {
		all := f.Siblings()
		kept := slices.DeleteFunc(slices.Clone(all), func(s conflict.Sibling) bool {
			mine := s.Dot.Replica == first.Replica && s.Dot.Counter >= first.Counter && s.Dot.Counter <= last.Counter
			return !mine && !seen[k].Covers(s.Dot)
		})
		if len(kept) < len(all) {
			// The vector stays, so the siblings are still in order beneath it.
			if part, err := conflict.NewField(kept, f.Vector()); err == nil {
				head = head.With(k, part)
			}
		}
	}
	return head
}
