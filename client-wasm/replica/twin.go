package replica

import (
	"cmp"
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Pairs of records that look like one thing are found by the keys that
// register.TwinKeys makes of each: their hashes stand in the store's index, in a
// range of their own. What people say of a pair is the twin field's.

// The range of the index in which the keys of pairs lie. Other keys are hashes
// of 64 bits and fall into it once in 65,536 times, which costs a comparison.
const (
	twinFrom    = uint64(0x5457) << 48
	twinThrough = twinFrom | (1<<48 - 1)
)

func twinKey(reg, unit, text string) uint64 {
	h := fnv.New64a()
	for _, s := range []string{reg, unit, text} {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return twinFrom | h.Sum64()>>16
}

// namedKey is the key under which a record stands that says something of another.
func namedKey(other string) uint64 {
	h := fnv.New64a()
	h.Write([]byte("twin " + other))
	return h.Sum64()
}

// twinsNamed returns the keys of what a record says of others.
func twinsNamed(head conflict.Record) []conflict.FieldKey {
	var keys []conflict.FieldKey
	for i := range head.Len() {
		switch k := head.At(i).Key; {
		case k.ID > conflict.FieldTwin:
			return keys
		case k.ID == conflict.FieldTwin && k.Elem != "":
			keys = append(keys, k)
		}
	}
	return keys
}

// The most that one look for pairs goes through, and shows.
const (
	twinRecords = 20_000 // records that share a key with another
	twinGroup   = 50     // of one key; what more than that share says nothing
	twinPairs   = 200
)

// Pair is two records that look like one thing, or of which somebody said so.
type Pair struct {
	A       PairSide          `json:"a"`
	B       PairSide          `json:"b"`
	Score   int               `json:"score"`
	Reasons []register.Likely `json:"reasons"`
	// State is "open", a verdict, or "disputed" if people disagree.
	State string     `json:"state"`
	Said  []PairSaid `json:"said"`
	// Keep is the record that is proposed to stay if both are one thing, and Why
	// the reason: "approved", "fuller" or "older".
	Keep   string      `json:"keep"`
	Why    string      `json:"why"`
	Fields []PairField `json:"fields"` // that at least one of them holds, in the order of the form
}

// PairSide is one record of a pair.
type PairSide struct {
	ID       string `json:"id"`
	Register string `json:"register"`
	Title    string `json:"title"`
	Place    Place  `json:"place"`
	Stage    string `json:"stage"`
	Life     string `json:"life"`
	By       string `json:"by"` // who created it
	At       int64  `json:"at"`
	Received int64  `json:"received"`
}

// PairSaid is what somebody said of a pair.
type PairSaid struct {
	Said     record.Verdict `json:"said"`
	Kept     string         `json:"kept,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	By       string         `json:"by"`
	At       int64          `json:"at"`
	Received int64          `json:"received"`
}

// PairField is one field of both records, masked where the field is.
type PairField struct {
	Name string `json:"name"`
	A    string `json:"a"`
	B    string `json:"b"`
	Same bool   `json:"same"`
	May  bool   `json:"may"` // the value of the one that goes may be taken over into the other
}

// PairsReply lists pairs that nobody has decided, or that people disagree
// about, the likeliest first.
type PairsReply struct {
	Pairs []Pair `json:"pairs"`
	More  bool   `json:"more"` // there are more than are listed
}

// Pairs looks for pairs among all records on the device.
func (r *Replica) Pairs(ctx context.Context) (PairsReply, error) {
	groups, err := r.store.Shared(ctx, twinFrom, twinThrough, twinRecords)
	if err != nil {
		return PairsReply{}, wrap("pairs", err)
	}
	reply := PairsReply{Pairs: []Pair{}}
	seen := map[[2]conflict.RecordID]bool{}
	for _, ids := range groups {
		if err := ctx.Err(); err != nil {
			return PairsReply{}, wrap("pairs", err)
		}
		if len(ids) > twinGroup {
			continue
		}
		found, err := r.pairsAmong(ctx, ids, seen)
		if err != nil {
			return PairsReply{}, wrap("pairs", err)
		}
		reply.Pairs = append(reply.Pairs, found...)
	}
	slices.SortStableFunc(reply.Pairs, func(a, b Pair) int {
		return cmp.Or(-cmp.Compare(a.Score, b.Score), cmp.Compare(a.A.Title, b.A.Title), cmp.Compare(a.A.ID, b.A.ID), cmp.Compare(a.B.ID, b.B.ID))
	})
	if reply.More = len(reply.Pairs) > twinPairs; reply.More {
		reply.Pairs = reply.Pairs[:twinPairs]
	}
	return reply, nil
}

// pairsAmong returns the pairs among the records of one key that wait for
// somebody.
func (r *Replica) pairsAmong(ctx context.Context, ids []conflict.RecordID, seen map[[2]conflict.RecordID]bool) ([]Pair, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	holdings, err := r.store.Holdings(ctx, ids)
	if err != nil {
		return nil, err
	}
	var all []*reading
	for i := range holdings {
		if n := r.read(&holdings[i]); n.def != nil && !n.ghost && !n.Left {
			all = append(all, n)
		}
	}
	var found []Pair
	for i, a := range all {
		for _, b := range all[i+1:] {
			key := [2]conflict.RecordID{a.ID, b.ID}
			if seen[key] || a.Register != b.Register || a.Unit != b.Unit {
				continue
			}
			seen[key] = true
			if _, ok := register.Alike(a.def, a.values, b.values); !ok {
				continue
			}
			stand := a.life != conflict.Deleted && b.life != conflict.Deleted
			// Said to be one while both stand: somebody took the deletion back.
			if p := r.pair(a, b); p.State == stateDisputed || stand && (p.State == stateOpen || p.State == string(record.Same)) {
				found = append(found, p)
			}
		}
	}
	return found, nil
}

// The states of a pair beside the verdicts.
const (
	stateOpen     = "open"
	stateDisputed = "disputed"
)

// pair describes two records, the one with the lesser id as A.
func (r *Replica) pair(a, b *reading) Pair {
	if a.ID.Compare(b.ID) > 0 {
		a, b = b, a
	}
	p := Pair{A: r.pairSide(a), B: r.pairSide(b), Said: []PairSaid{}, Fields: []PairField{}, Reasons: []register.Likely{}, State: stateOpen}
	if l, _ := register.Alike(a.def, a.values, b.values); len(l.Reasons) > 0 {
		p.Score, p.Reasons = l.Score, l.Reasons
	}
	for i, s := range record.PairOf(a.head, b.head, a.ID, b.ID) {
		p.Said = append(p.Said, PairSaid{s.Said, s.Kept, s.Reason, s.Origin.Author, s.Origin.At, s.Origin.Received})
		switch {
		case i == 0:
			p.State = string(s.Said)
		case p.State != string(s.Said) || p.Said[0].Kept != s.Kept:
			p.State = stateDisputed
		}
	}
	keep := a
	approved := func(n *reading) bool { return n.standing.Review.Decision == record.Approved }
	switch {
	case approved(a) != approved(b):
		p.Why = "approved"
		if approved(b) {
			keep = b
		}
	case len(a.values) != len(b.values):
		p.Why = "fuller"
		if len(b.values) > len(a.values) {
			keep = b
		}
	default:
		p.Why = "older"
		if p.B.Received != 0 && (p.A.Received == 0 || p.B.Received < p.A.Received) {
			keep = b
		}
	}
	p.Keep = keep.ID.String()
	for i := range a.def.Fields {
		f := &a.def.Fields[i]
		va, vb := a.values[f.Name], b.values[f.Name]
		if va == "" && vb == "" {
			continue
		}
		torn := slices.Contains(a.conflicts, f.Name) || slices.Contains(b.conflicts, f.Name)
		p.Fields = append(p.Fields, PairField{Name: f.Name, A: register.Mask(a.def, f.Name, va, r.lang), B: register.Mask(a.def, f.Name, vb, r.lang),
			Same: va == vb, May: va != vb && f.Policy != conflict.Union && !torn})
	}
	return p
}

func (r *Replica) pairSide(n *reading) PairSide {
	s := PairSide{ID: n.ID.String(), Register: n.Register, Title: n.title(r.lang), Place: r.place(n), Stage: string(n.stage()), Life: n.life.String()}
	for k, f := range n.head.All() {
		for i := range f.Len() {
			if o := f.At(i).Origin; k.ID >= conflict.FirstUserField && (s.At == 0 || o.At < s.At) {
				s.By, s.At, s.Received = o.Author, o.At, o.Received
			}
		}
	}
	return s
}

// PairsOf lists the pairs that one record is in: what nobody has decided, and
// what was said, of records that are on the device.
func (r *Replica) PairsOf(ctx context.Context, id string) ([]Pair, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return nil, wrap("pairs", err)
	}
	n := r.read(&h)
	if n.ghost || n.def == nil {
		return []Pair{}, nil
	}
	ids := map[conflict.RecordID]bool{} // whatever shares a key; pairs are judged below
	for _, text := range register.TwinKeys(n.def, n.values) {
		found, err := r.store.FindKey(ctx, twinKey(n.Register, n.Unit, text), twinGroup+1)
		if err != nil {
			return nil, wrap("pairs", err)
		}
		for _, o := range found {
			ids[o] = true
		}
	}
	for _, k := range twinsNamed(n.head) {
		if o, err := conflict.ParseDot(k.Elem); err == nil {
			ids[o] = true
		}
	}
	// What another record says of this one.
	others, err := r.store.FindKey(ctx, namedKey(id), twinGroup)
	if err != nil {
		return nil, wrap("pairs", err)
	}
	for _, o := range others {
		ids[o] = true
	}
	delete(ids, n.ID)
	order := make([]conflict.RecordID, 0, len(ids))
	for o := range ids {
		order = append(order, o)
	}
	slices.SortFunc(order, conflict.Dot.Compare)
	holdings, err := r.store.Holdings(ctx, order)
	if err != nil {
		return nil, wrap("pairs", err)
	}
	pairs := []Pair{}
	for i := range holdings {
		o := r.read(&holdings[i])
		if o.ghost || o.Register != n.Register {
			continue
		}
		_, alike := register.Alike(n.def, n.values, o.values)
		p := r.pair(n, o)
		if p.State != stateOpen || alike && o.life != conflict.Deleted && o.Unit == n.Unit {
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}

// Decide is what somebody says of a pair.
type Decide struct {
	A      string         `json:"a"`
	B      string         `json:"b"`
	Said   record.Verdict `json:"said"` // "" takes back what was said
	Keep   string         `json:"keep,omitempty"`
	Take   []string       `json:"take,omitempty"` // of Same: fields whose value the other record gives to the one that stays
	Reason string         `json:"reason,omitempty"`
}

// DecidePair says of two records that they are one thing, two, or linked, in one
// changeset over all that was said before. If they are one, the record that does
// not stay is deleted, as any deletion is: it waits for the supervisor, keeps its
// history, and comes back when the verdict is taken back. Values that the other
// takes over are ordinary writes.
func (r *Replica) DecidePair(ctx context.Context, q Decide) (Pair, error) {
	p, changed, err := r.decidePair(ctx, q)
	if err == nil {
		r.tell(changed)
	}
	return p, wrap("decide a pair", err)
}

func (r *Replica) decidePair(ctx context.Context, q Decide) (Pair, Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed Changed
	both, err := r.bothOf(ctx, q.A, q.B)
	if err != nil {
		return Pair{}, changed, err
	}
	t := record.Twin{Said: q.Said, Reason: clean(q.Reason)}
	stays, goes := 0, 1
	switch {
	case q.Said == record.Same:
		if stays = slices.IndexFunc(both[:], func(n *reading) bool { return n.ID.String() == q.Keep }); stays < 0 {
			return Pair{}, changed, &Failure{Code: "no_choice", Field: "keep", VI: "Hãy chọn hồ sơ được giữ lại.", EN: "choose the record that stays"}
		}
		goes, t.Kept = 1-stays, q.Keep
	case q.Said == "":
		t = record.Twin{}
	case q.Said != record.Different && q.Said != record.Linked:
		return Pair{}, changed, &Failure{Code: "no_choice", Field: "said", VI: "Hãy chọn: một người, hai người khác nhau, hoặc có liên hệ.", EN: "say same, different or linked"}
	}
	before := record.PairOf(both[0].head, both[1].head, both[0].ID, both[1].ID)
	var cs [2]*change
	for i, n := range both {
		cs[i] = &change{r: r, h: *n.Holding, def: n.def, seen: vectors(n.head)}
		k := record.TwinKey(both[1-i].ID)
		// On the first record, and wherever something stands already.
		if f := n.head.Field(k); i == 0 && t.Said != "" || f.Len() > 0 {
			cs[i].write(k, t.Value())
		}
		if n.head.Field(conflict.Key(conflict.FieldTwin)).Len() > 0 && t.Said != "" {
			cs[i].write(conflict.Key(conflict.FieldTwin), "") // somebody has looked
		}
	}
	if q.Said == record.Same {
		if err := cs[stays].takeOver(both[stays], both[goes], q.Take); err != nil {
			return Pair{}, changed, err
		}
		if n := both[goes]; n.life != conflict.Deleted {
			if !r.mayDelete(n) {
				return Pair{}, changed, &Failure{Code: "partial", VI: "Thiết bị này chỉ có một phần của hồ sơ nên không gộp được; hãy nhờ người có toàn bộ hồ sơ.",
					EN: "this device holds only a part of the record that would go; ask somebody who holds all of it"}
			}
			cs[goes].live(n, true)
		}
		if n := both[stays]; n.life != conflict.Alive {
			cs[stays].live(n, false)
		}
	} else {
		// Not one thing: what a verdict of that kind deleted comes back.
		for i, n := range both {
			if n.life == conflict.Deleted && slices.ContainsFunc(before, func(s record.Said) bool { return s.Twin.Said == record.Same && s.Kept != n.ID.String() }) {
				cs[i].live(n, false)
			}
		}
	}
	b := &Batch{}
	counts := r.counts
	if err := r.join(ctx, b, &counts, cs[:]...); err != nil {
		return Pair{}, changed, err
	}
	if !b.Empty() {
		if err := r.commit(ctx, b); err != nil {
			return Pair{}, changed, err
		}
		r.counts = counts
	}
	for i, c := range cs {
		if c.made {
			both[i] = c.n
			changed.name(c.h.Register, c.h.ID)
		}
	}
	return r.pair(both[0], both[1]), changed, nil
}

// bothOf reads the records of a pair, the one with the lesser id first.
func (r *Replica) bothOf(ctx context.Context, a, b string) (both [2]*reading, err error) {
	for i, id := range []string{a, b} {
		h, err := r.held(ctx, id)
		if err != nil {
			return both, err
		}
		both[i] = r.read(&h)
		if err := both[i].closed(); err != nil {
			return both, err
		}
	}
	switch {
	case both[0].ID == both[1].ID || both[0].Register != both[1].Register || both[0].Unit != both[1].Unit:
		return both, &Failure{Code: "no_pair", VI: "Hai hồ sơ phải khác nhau, cùng một sổ và cùng một đơn vị.", EN: "a pair is two records of one register and one unit"}
	case both[0].ID.Compare(both[1].ID) > 0:
		both[0], both[1] = both[1], both[0]
	}
	return both, nil
}

// takeOver writes the values of the record that goes into the one that stays.
func (c *change) takeOver(stays, goes *reading, names []string) error {
	before := len(c.writes)
	for _, name := range names {
		f := stays.def.FieldByName(name)
		if f == nil {
			return noField(stays.Register, name)
		}
		if f.Policy == conflict.Union {
			c.setElements(f, nil, register.Elements(goes.values[name]))
			continue
		}
		if slices.Contains(stays.conflicts, name) || slices.Contains(goes.conflicts, name) {
			return inConflict(name)
		}
		if stays.values[name] != goes.values[name] {
			c.write(conflict.Key(f.ID), goes.values[name])
		}
	}
	if len(c.writes) > before && stays.standing.Stage == record.StageSubmitted {
		c.handIn()
	}
	return nil
}

// Checked takes the mark off a record that was created while only a part of its
// register could be searched: somebody has looked for duplicates.
func (r *Replica) Checked(ctx context.Context, id string) (RecordView, error) {
	reply, err := r.act(ctx, id, func(n *reading, c *change) error {
		if _, ok := record.UncheckedOf(n.head); ok {
			c.write(conflict.Key(conflict.FieldTwin), "")
		}
		return nil
	})
	return reply.Record, wrap("checked", err)
}
