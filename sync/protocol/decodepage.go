package protocol

import (
	"math"

	"wardbook/conflict"
)

// pageReader is a Page while it is read.
type pageReader struct {
	*reading
	stamps   stamps
	at       uint64
	received uint64
	entries  []conflict.Entry   // of all records
	siblings []conflict.Sibling // of all fields
	vectors  []conflict.Dot     // of all vectors
}

func (r *reading) page(s *source) *Page {
	p := &Page{Stream: stream(s), Floor: s.number(), From: s.number(), To: s.number(), Head: s.number()}
	records, fields, siblings, vectors := s.number(), s.number(), s.number(), s.number()
	r.charge(records, weightRecord)
	r.charge(fields, weightField)
	r.charge(siblings, weightSibling)
	r.charge(vectors, weightEntry)
	if r.bad {
		return nil
	}
	r.unpack(s, pageColumns)
	r.tables()
	if r.bad {
		return nil
	}
	if records > 0 {
		p.Records = make([]RecordDelta, records)
	}
	g := pageReader{reading: r, entries: make([]conflict.Entry, fields),
		siblings: make([]conflict.Sibling, siblings), vectors: make([]conflict.Dot, vectors)}
	values := g.siblings
	for i := range p.Records {
		if r.bad {
			return nil
		}
		d := &p.Records[i]
		place := r.get(pageRecord)
		t := r.seat(place)
		if r.bad {
			return nil
		}
		t.record = r.delta(pageRecordCounter, t.record)
		d.Record = conflict.Dot{Replica: t.id, Counter: t.record}
		n := r.get(pageFields)
		if n == 0 {
			d.Left = true
			continue
		}
		if n == 1 {
			continue
		}
		d.Fields = cut(r, &g.entries, n-1)
		g.stamps.record = g.stamps.record[:0]
		var id conflict.FieldID
		a := newAnchor(d.Record)
		for j := range d.Fields {
			e := &d.Fields[j]
			e.Key = r.key(pageKey, pageElem, id)
			if j > 0 && d.Fields[j-1].Key.Compare(e.Key) >= 0 {
				r.bad = true
			}
			id = e.Key.ID
			e.Field = g.field(&a, int(place), id)
			if r.bad {
				return nil
			}
		}
	}
	if len(g.entries) > 0 || len(g.siblings) > 0 || len(g.vectors) > 0 {
		r.bad = true
	}
	if r.bad {
		return nil
	}
	for i := range r.groups.all {
		values[i].Value = r.value(pageLength, pageValue) // the fields share this memory until the page is out of our hands
	}
	return p
}

// field reads what pageWriter.field put.
func (g *pageReader) field(a *anchor, place int, id conflict.FieldID) conflict.Field {
	shape := g.get(pageShape)
	n := uint64(1)
	if shape >= shapeLong {
		n = shape - shapeLong
	}
	own := g.replicas.list[place].id
	expect := a.expect(id)
	var siblings []conflict.Sibling
	if n > 0 {
		siblings = cut(g.reading, &g.siblings, n)
	}
	for i := range siblings {
		s := &siblings[i]
		s.Dot = g.dot(pageReplica, pageCounter, place, expect, 1)
		if s.Dot.Replica == own {
			a.move(id, s.Dot.Counter)
		}
		s.Origin = g.stamp()
		g.groups.add(id)
	}
	if g.bad {
		return conflict.Field{}
	}
	var dots []conflict.Dot
	switch shape {
	case shapeFirst:
		dots = cut(g.reading, &g.vectors, 1)
		if !g.bad {
			dots[0] = siblings[0].Dot
		}
	case shapeOver:
		dots = cut(g.reading, &g.vectors, 2)
		beneath := conflict.Dot{Replica: own, Counter: g.delta(pageBeneath, expect)}
		a.move(id, beneath.Counter)
		if siblings[0].Dot.Replica == own {
			g.bad = true
		}
		if !g.bad {
			dots[0], dots[1] = beneath, siblings[0].Dot
			if dots[0].Replica.Compare(dots[1].Replica) > 0 {
				dots[0], dots[1] = dots[1], dots[0]
			}
		}
	default:
		if n := g.get(pageVector); n > 0 {
			dots = cut(g.reading, &g.vectors, n)
		}
		for i := range dots {
			dots[i] = g.dot(pageVectorReplica, pageVectorCounter, place, expect, 0)
		}
	}
	if g.bad {
		return conflict.Field{}
	}
	v, err := conflict.VectorOf(dots)
	if err != nil {
		g.bad = true
		return conflict.Field{}
	}
	f, err := conflict.NewField(siblings, v)
	if err != nil || shape >= shapeLong && shapeOf(f, own) != shape {
		g.bad = true
	}
	return f
}

// dot reads what pageWriter.dot put.
func (g *pageReader) dot(replica, counter, place int, expect, step uint64) conflict.Dot {
	h := g.get(replica)
	if h == 0 {
		return conflict.Dot{Replica: g.replicas.list[place].id, Counter: g.delta(counter, expect)}
	}
	if h-1 == uint64(place) {
		g.bad = true
	}
	s := g.seat(h - 1)
	s.write = g.delta(counter, s.write+step)
	return conflict.Dot{Replica: s.id, Counter: s.write}
}

// stamp reads what pageWriter.stamp put.
func (g *pageReader) stamp() conflict.Origin {
	told := g.get(pageStamp)
	var o conflict.Origin
	switch {
	case told == 0 && g.stamps.any:
		o = g.stamps.last
	case told == 1:
		o.Author = g.text(pageAuthor)
		g.at = g.delta(pageAt, g.at)
		o.At = int64(g.at)
		h := g.cols[pageSource].limited(math.MaxUint8<<1 | 1)
		o.Source = conflict.Source(h >> 1)
		if h&1 != 0 {
			g.received = g.delta(pageReceived, g.received)
			o.Received = int64(g.received)
			if o.Received == 0 {
				g.bad = true
			}
		}
		o.Definition = uint32(g.cols[pageDefinition].limited(math.MaxUint32))
	case told >= 2 && told-2 < uint64(len(g.stamps.record)):
		o = g.stamps.record[told-2]
	default:
		g.bad = true
		return o
	}
	if told != 0 && g.stamps.find(&o) != told {
		g.bad = true
	}
	g.stamps.use(o, told)
	return o
}
