package conflict

// Edit is one write of one field: what Record.Write is given.
type Edit struct {
	Key     FieldKey
	Sibling Sibling
	Context Vector
}

// WriteAll returns r after all the writes, which is what writing them one
// after the other returns. Writes in the order of their keys, no key twice, as
// a changeset holds them, are made in one pass: that is how a record is
// created. It keeps nothing of edits.
func (r Record) WriteAll(edits []Edit) Record {
	for i := 1; i < len(edits); i++ {
		if edits[i-1].Key.Compare(edits[i].Key) >= 0 {
			for _, e := range edits {
				r = r.Write(e.Key, e.Sibling, e.Context)
			}
			return r
		}
	}
	fresh, absorbed := 0, true
	i := 0
	for _, e := range edits {
		for i < len(r.entries) && r.entries[i].Key.Compare(e.Key) < 0 {
			i++
		}
		if i == len(r.entries) || r.entries[i].Key != e.Key {
			fresh, absorbed = fresh+1, false
		} else if !r.entries[i].Field.vector.Covers(e.Sibling.Dot) {
			absorbed = false
		}
	}
	if absorbed { // as an outbox is, again and again, by what came back
		return r
	}
	// New fields share two arrays; each is cut off at its own length, so that
	// nobody can write into another's.
	entries := make([]Entry, 0, len(r.entries)+fresh)
	siblings := make([]Sibling, 0, fresh)
	dots := make([]Dot, 0, fresh)
	i = 0
	for _, e := range edits {
		for i < len(r.entries) && r.entries[i].Key.Compare(e.Key) < 0 {
			entries = append(entries, r.entries[i])
			i++
		}
		var f Field
		switch {
		case i < len(r.entries) && r.entries[i].Key == e.Key:
			f = r.entries[i].Field.Write(e.Sibling, e.Context)
			i++
		case e.Context.Len() == 0 && e.Sibling.Dot.Counter > 0:
			siblings, dots = append(siblings, e.Sibling), append(dots, e.Sibling.Dot)
			n, m := len(siblings), len(dots)
			f = Field{siblings[n-1 : n : n], Vector{dots[m-1 : m : m]}}
		default:
			f = Field{}.Write(e.Sibling, e.Context)
		}
		if !f.IsZero() {
			entries = append(entries, Entry{e.Key, f})
		}
	}
	return Record{append(entries, r.entries[i:]...)}
}
