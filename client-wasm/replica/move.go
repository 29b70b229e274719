package replica

import (
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// HomeView says where a record is on its way to.
type HomeView struct {
	Unit     string `json:"unit"`   // code of the unit that it was sent to
	From     string `json:"from"`   // code of the unit where it was
	Reason   string `json:"reason"` //
	By       string `json:"by"`
	At       int64  `json:"at"`       // device clock of who sent it
	Returned bool   `json:"returned"` // the unit sent it back
	Disputed bool   `json:"disputed"` // several units were named; the one where it is decides
}

// home describes a record that somebody sent to a unit which has not taken it
// over yet, or returns nil.
func (n *reading) home() *HomeView {
	if !record.Arrived(n.head) {
		return nil
	}
	f := n.head.Field(conflict.Key(conflict.FieldHome))
	last := f.At(f.Len() - 1)
	h, ok := record.HomeOf(n.head)
	if !ok {
		h, _ = record.ParseHome(last.Value)
	}
	return &HomeView{Unit: h.Unit, From: h.From, Reason: h.Reason, By: last.Origin.Author, At: last.Origin.At, Returned: h.Returned, Disputed: !ok}
}

// Household returns the ids of the records on this device that belong together
// with one: those that share the values by which a rule of the register ("one
// per") groups them, the record itself first. Deleted records are left out.
func (r *Replica) Household(ctx context.Context, id string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return nil, wrap("household", err)
	}
	n := r.read(&h)
	ids := []string{id}
	for _, rule := range n.def.Rules {
		if rule.Kind != register.RuleOnePer || len(rule.Fields) == 0 {
			continue
		}
		others, err := r.sharing(ctx, n, rule.Fields)
		if err != nil {
			return nil, wrap("household", err)
		}
		for _, o := range others {
			if text := o.String(); !slices.Contains(ids, text) {
				ids = append(ids, text)
			}
		}
	}
	return ids, nil
}

// sharing lists the other live records of n's register and unit that have n's
// values in the named fields, none of which may be empty. It looks at every
// record: no index holds groups.
func (r *Replica) sharing(ctx context.Context, n *reading, names []string) ([]conflict.RecordID, error) {
	for _, name := range names {
		if n.values[name] == "" {
			return nil, nil
		}
	}
	var found []conflict.RecordID
	var after conflict.RecordID
	for {
		ids, err := r.store.Walk(ctx, n.Register, after, 500)
		if err != nil || len(ids) == 0 {
			return found, err
		}
		after = ids[len(ids)-1]
		holdings, err := r.store.Holdings(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i := range holdings {
			h := &holdings[i]
			if h.ID == n.ID || h.Unit != n.Unit || h.Left {
				continue
			}
			o := r.read(h)
			same := !o.ghost && o.life != conflict.Deleted
			for _, name := range names {
				same = same && o.values[name] == n.values[name]
			}
			if same {
				found = append(found, h.ID)
			}
		}
	}
}

// Move asks that records go to another unit: one, or all members of a household.
// It is one changeset, so that all of them go or none, and works without a
// network: the server moves them when it receives it. They stay on this device
// until then.
func (r *Replica) Move(ctx context.Context, ids []string, unit, reason string) error {
	changed, err := r.moveRecords(ctx, ids, unit, reason)
	if err == nil {
		r.tell(changed)
	}
	return wrap("move", err)
}

func (r *Replica) moveRecords(ctx context.Context, ids []string, unit, reason string) (Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed Changed
	reason = clean(reason)
	switch {
	case len(ids) == 0 || len(ids) > record.MaxEdits:
		return changed, &Failure{Code: "too_large", VI: "Mỗi lần chuyển được từ 1 đến 256 hồ sơ.", EN: "move from 1 to 256 records at once"}
	case reason == "":
		return changed, &Failure{Code: "reason_required", Field: "reason", VI: "Cần nêu lý do chuyển.", EN: "say why they move"}
	}
	k := conflict.Key(conflict.FieldHome)
	cs := record.Changeset{Dot: conflict.Dot{Replica: r.meta.Replica, Counter: r.meta.Last + 1}, Author: r.meta.Account.Name, At: r.now()}
	var holdings []Holding
	for _, id := range ids {
		h, err := r.held(ctx, id)
		if err != nil {
			return changed, err
		}
		n := r.read(&h)
		if err := n.closed(); err != nil {
			return changed, err
		}
		switch {
		case h.Unit == unit:
			return changed, &Failure{Code: "same_unit", Field: "unit", VI: "Hồ sơ đã ở đơn vị này.", EN: "the record is in that unit already"}
		case cs.Unit != "" && cs.Unit != h.Unit:
			return changed, &Failure{Code: "several_units", VI: "Các hồ sơ thuộc nhiều đơn vị; hãy chuyển từng đơn vị.", EN: "the records are of several units; move those of each by themselves"}
		case slices.ContainsFunc(holdings, func(o Holding) bool { return o.ID == h.ID }):
			continue
		}
		cs.Unit = h.Unit
		holdings = append(holdings, h)
		cs.Edits = append(cs.Edits, record.Edit{Record: h.ID, Register: h.Register, Definition: n.def.Version, Writes: []record.Write{
			{Key: k, Context: n.head.Field(k).Vector(), Value: record.Home{Unit: unit, From: h.Unit, Reason: reason}.Value()}}})
	}
	if err := cs.Validate(); err != nil {
		return changed, &Failure{Code: "too_large", VI: "Thay đổi này quá lớn để lưu một lần.", EN: "this change is too large to save at once: " + err.Error()}
	}
	meta := r.meta
	meta.Last, meta.Entries = cs.Last().Counter, meta.Entries+1
	entry := Entry{No: meta.Entries, Changeset: cs, Hash: cs.Hash()}
	b := &Batch{Meta: &meta, Append: []Entry{entry}}
	counts := r.counts
	for _, h := range holdings {
		h.Entries = append(slices.Clone(h.Entries), entry)
		r.put(b, &counts, h, nil)
		changed.name(h.Register, h.ID)
	}
	if err := r.commit(ctx, b); err != nil {
		return Changed{}, err
	}
	r.counts = counts
	return changed, nil
}
