package protocol

import "wardbook/conflict"

// The columns of a Page, in the order in which they stand.
const (
	// Per record.
	pageFields        = colOwn + iota // 0 it left the scope, else 1 + how many
	pageRecord                        // replica
	pageRecordCounter                 // against the replica's last record
	// Per field.
	pageKey
	pageElem
	pageShape // see the constants below
	// Per sibling.
	pageReplica // 0 the record's own, else 1 + replica
	pageCounter
	pageStamp // 0 as the sibling before, 1 a new one, 2 + n the record's n-th
	// Per value, in the order of groups.
	pageLength
	pageValue
	// Per new stamp.
	pageAuthor // text
	pageAt     // device time against the stamp before
	pageSource // twice, plus 1 if a server time follows
	pageReceived
	pageDefinition
	// Per field told at length, and per entry of its vector.
	pageVector
	pageVectorReplica
	pageVectorCounter
	// Per field that was written over one write of the record's own replica.
	pageBeneath

	pageColumns
)

// How a field is told.
const (
	shapeFirst = 0 // one sibling, whose dot is the vector
	shapeOver  = 1 // one sibling of another replica over one write of the record's own
	shapeLong  = 2 // 2 + n: n siblings and the vector at length
)

// stampsKept is how many of its stamps a record can name again.
const stampsKept = 64

// stamps are the origins told so far: the last one, and those of the record.
type stamps struct {
	last   conflict.Origin
	any    bool // last holds
	record []conflict.Origin
}

// find returns how o is told: 0 as the last, 2 + n as the record's n-th, else 1.
func (s *stamps) find(o *conflict.Origin) uint64 {
	if s.any && s.last == *o {
		return 0
	}
	for i := range s.record {
		if s.record[i] == *o {
			return uint64(2 + i)
		}
	}
	return 1
}

// use makes o the last one, and the record's if it is not yet.
func (s *stamps) use(o conflict.Origin, told uint64) {
	s.last, s.any = o, true
	if told < 2 && len(s.record) < stampsKept && (told == 1 || !s.has(&o)) {
		s.record = append(s.record, o)
	}
}

func (s *stamps) has(o *conflict.Origin) bool {
	for i := range s.record {
		if s.record[i] == *o {
			return true
		}
	}
	return false
}

// pageWriter is a Page while it is written.
type pageWriter struct {
	*columns
	stamps   stamps
	at       uint64 // device time of the last new stamp
	received uint64 // server time of the last new stamp that had one
	fields   uint64
	siblings uint64
	vectors  uint64
}

func (p *Page) append(dst []byte, pack bool) []byte {
	w := p.write()
	defer w.release()
	return w.append(dst, p, pack)
}

// write fills the columns of p, which append appends in any form. Their owner
// gives them up by release.
func (p *Page) write() *pageWriter {
	w := &pageWriter{columns: newColumns(pageColumns)}
	for i := range p.Records {
		d := &p.Records[i]
		place := w.replicas.place(d.Record.Replica)
		w.put(pageRecord, uint64(place))
		s := &w.replicas.list[place]
		w.delta(pageRecordCounter, s.record, d.Record.Counter)
		s.record = d.Record.Counter
		if d.Left {
			w.put(pageFields, 0)
			continue
		}
		w.put(pageFields, uint64(len(d.Fields))+1)
		w.fields += uint64(len(d.Fields))
		w.stamps.record = w.stamps.record[:0]
		var id conflict.FieldID
		a := newAnchor(d.Record)
		for j := range d.Fields {
			e := &d.Fields[j]
			w.key(pageKey, pageElem, id, e.Key)
			id = e.Key.ID
			w.field(e.Field, &a, place, id)
		}
	}
	w.putValues(pageLength, pageValue)
	w.finish()
	return w
}

func (w *pageWriter) append(dst []byte, p *Page, pack bool) []byte {
	dst = appendStream(dst, p.Stream)
	dst = appendNumber(dst, p.Floor)
	dst = appendNumber(dst, p.From)
	dst = appendNumber(dst, p.To)
	dst = appendNumber(dst, p.Head)
	dst = appendNumber(dst, uint64(len(p.Records)))
	dst = appendNumber(dst, w.fields)
	dst = appendNumber(dst, w.siblings)
	dst = appendNumber(dst, w.vectors)
	return w.columns.append(dst, pack)
}

// shapeOf tells whether f can be told shortly; own created the record.
func shapeOf(f conflict.Field, own conflict.ReplicaID) uint64 {
	if f.Len() == 1 {
		v, d := f.Vector(), f.At(0).Dot
		switch {
		case v.Counter(d.Replica) != d.Counter:
		case v.Len() == 1:
			return shapeFirst
		case v.Len() == 2 && d.Replica != own && v.Counter(own) != 0:
			return shapeOver
		}
	}
	return shapeLong + uint64(f.Len())
}

func (w *pageWriter) field(f conflict.Field, a *anchor, place int, id conflict.FieldID) {
	own := w.replicas.list[place].id
	shape := shapeOf(f, own)
	w.put(pageShape, shape)
	w.siblings += uint64(f.Len())
	w.vectors += uint64(f.Vector().Len())
	expect := a.expect(id)
	for i := range f.Len() {
		s := f.At(i)
		w.dot(pageReplica, pageCounter, s.Dot, place, expect, 1)
		if s.Dot.Replica == own {
			a.move(id, s.Dot.Counter)
		}
		w.stamp(s.Origin)
		w.value(id, s.Value)
	}
	switch {
	case shape == shapeOver:
		n := f.Vector().Counter(own)
		w.delta(pageBeneath, expect, n)
		a.move(id, n)
	case shape >= shapeLong:
		w.put(pageVector, uint64(f.Vector().Len()))
		for d := range f.Vector().All() {
			w.dot(pageVectorReplica, pageVectorCounter, d, place, expect, 0)
		}
	}
}

// dot puts a dot: its counter against what the anchor expects if the record's
// own replica made it, else against step above that replica's last.
func (w *pageWriter) dot(replica, counter int, d conflict.Dot, place int, expect, step uint64) {
	if d.Replica == w.replicas.list[place].id {
		w.put(replica, 0)
		w.delta(counter, expect, d.Counter)
		return
	}
	i := w.replicas.place(d.Replica)
	w.put(replica, uint64(i)+1)
	s := &w.replicas.list[i]
	w.delta(counter, s.write+step, d.Counter)
	s.write = d.Counter
}

func (w *pageWriter) stamp(o conflict.Origin) {
	told := w.stamps.find(&o)
	w.put(pageStamp, told)
	w.stamps.use(o, told)
	if told != 1 {
		return
	}
	w.text(pageAuthor, o.Author)
	w.delta(pageAt, w.at, uint64(o.At))
	w.at = uint64(o.At)
	h := uint64(o.Source) << 1
	if o.Received != 0 {
		h |= 1
		w.delta(pageReceived, w.received, uint64(o.Received))
		w.received = uint64(o.Received)
	}
	w.put(pageSource, h)
	w.put(pageDefinition, uint64(o.Definition))
}
