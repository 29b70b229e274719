package protocol

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/record/recordtest"
)

// unpacked returns message b with every column stored: the form in which two
// encodings of one message are equal. b must have been decoded already.
func unpacked(t interface{ Fatalf(string, ...any) }, b []byte) []byte {
	r := reading{weight: MaxDecoded}
	s := source{b: string(b), off: 1, bad: &r.bad}
	columns := 0
	numbers := func(n int) {
		for range n {
			s.number()
		}
	}
	switch Kind(b[0]) {
	case KindPush:
		numbers(5)
		columns = pushColumns
	case KindPage:
		stream(&s)
		numbers(8)
		columns = pageColumns
	case KindDefinition:
		s.text(record.MaxName)
		s.number()
		columns = 1
	default:
		return b
	}
	out := append([]byte(nil), b[:s.off]...)
	r.unpack(&s, columns)
	if r.bad {
		t.Fatalf("unpack the columns of an accepted message: %x", b)
	}
	for i := range r.cols {
		out = appendColumn(out, []byte(r.cols[i].b), false)
	}
	return append(out, b[s.off:]...)
}

func drawStream(t *rapid.T) Stream {
	return Stream{Unit: rapid.StringMatching("[0-9]{5}").Draw(t, "unit"), Register: rapid.SampledFrom([]string{"residents", "households", ""}).Draw(t, "register"),
		Class: Class(rapid.IntRange(0, 1).Draw(t, "class"))}
}

func drawToken(t *rapid.T) (k Token) {
	copy(k[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "token"))
	return k
}

func drawSlice[T any](t *rapid.T, one func(*rapid.T) T) (all []T) {
	for range rapid.IntRange(0, 4).Draw(t, "how many") {
		all = append(all, one(t))
	}
	return all
}

func drawScope(t *rapid.T) Scope {
	return Scope{drawStream(t), drawSlice(t, func(t *rapid.T) string { return rapid.String().Draw(t, "neighbourhood") }),
		rapid.Uint64().Draw(t, "cursor"), rapid.Uint64().Draw(t, "floor"), rapid.Uint8().Draw(t, "priority")}
}

func drawSignature(t *rapid.T) []byte {
	if rapid.Bool().Draw(t, "unsigned") {
		return nil
	}
	return rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "signature")
}

func drawCode(t *rapid.T) Code { return Code(rapid.Uint16().Draw(t, "code")) }

var number, moments, text = rapid.Uint64(), rapid.Int64(), rapid.StringN(0, 60, 255)

// drawPush draws what one replica of a history says, or some of it.
func drawPush(t *rapid.T, h *recordtest.History) *Push {
	p := &Push{}
	r := rapid.SampledFrom(h.Replicas).Draw(t, "pusher")
	for _, c := range h.Changesets {
		if c.Dot.Replica == r && (rapid.IntRange(0, 9).Draw(t, "leave out") > 0) {
			p.Changesets = append(p.Changesets, c)
		}
	}
	return p
}

func drawPage(t *rapid.T, h *recordtest.History) *Page {
	p := &Page{Stream: drawStream(t), Floor: number.Draw(t, "floor"), From: number.Draw(t, "from"), To: number.Draw(t, "to"), Head: number.Draw(t, "head"), Signature: drawSignature(t)}
	for _, id := range h.Order {
		d := RecordDelta{Record: id}
		switch rapid.IntRange(0, 9).Draw(t, "form") {
		case 0:
			d.Left = true
		case 1: // nothing of it is in the stream
		default:
			all := rapid.Bool().Draw(t, "whole record")
			for k, f := range h.Server[id].All() {
				if all || rapid.Bool().Draw(t, "field") {
					d.Fields = append(d.Fields, conflict.Entry{Key: k, Field: f})
				}
			}
		}
		p.Records = append(p.Records, d)
	}
	return p
}

var drawMessage = map[Kind]func(*rapid.T) Message{
	KindHello: func(t *rapid.T) Message {
		r := conflict.ReplicaID(drawToken(t))
		return &Hello{Version, text.Draw(t, "app"), rapid.StringN(0, -1, MaxTokenBytes).Draw(t, "token"), r, drawToken(t), drawToken(t), drawToken(t),
			number.Draw(t, "acked"), number.Draw(t, "last"), moments.Draw(t, "at"), rapid.Bool().Draw(t, "streaming"), drawSlice(t, drawScope),
			drawSlice(t, func(t *rapid.T) DefinitionRef {
				return DefinitionRef{text.Draw(t, "register"), rapid.Uint32().Draw(t, "version")}
			})}
	},
	KindPush:    func(t *rapid.T) Message { return drawPush(t, recordtest.Draw(t)) },
	KindApplied: func(t *rapid.T) Message { return &Applied{drawStream(t), number.Draw(t, "to")} },
	KindRenew:   func(t *rapid.T) Message { return &Renew{text.Draw(t, "token")} },
	KindReport: func(t *rapid.T) Message {
		return &Report{number.Draw(t, "unsent"), moments.Draw(t, "oldest"), number.Draw(t, "headroom")}
	},
	KindScope: func(t *rapid.T) Message { return &ScopeChange{drawSlice(t, drawScope)} },
	KindReturn: func(t *rapid.T) Message {
		return &Return{number.Draw(t, "n"), drawSlice(t, func(t *rapid.T) SignedPage {
			return SignedPage{drawToken(t), []byte(rapid.StringN(1, 300, -1).Draw(t, "page"))}
		})}
	},
	KindReturned: func(t *rapid.T) Message {
		return &Returned{number.Draw(t, "n"), drawSlice(t, func(t *rapid.T) StreamMark {
			return StreamMark{drawStream(t), number.Draw(t, "position")}
		})}
	},
	KindPing: func(t *rapid.T) Message { return &Ping{number.Draw(t, "n")} },
	KindPong: func(t *rapid.T) Message { return &Pong{number.Draw(t, "n")} },
	KindWelcome: func(t *rapid.T) Message {
		return &Welcome{Version, Verdict(rapid.IntRange(0, 2).Draw(t, "verdict")), drawToken(t), number.Draw(t, "acked"), number.Draw(t, "backed up"),
			moments.Draw(t, "at"), drawSlice(t, func(t *rapid.T) Grant {
				return Grant{drawCode(t), number.Draw(t, "from"), number.Draw(t, "head"), number.Draw(t, "count"), number.Draw(t, "backed up")}
			}), drawSlice(t, func(t *rapid.T) Stored { return Stored{number.Draw(t, "counter"), record.Hash(drawToken(t))} })}
	},
	KindAck: func(t *rapid.T) Message {
		return &Ack{number.Draw(t, "through"), moments.Draw(t, "received"), drawSlice(t, func(t *rapid.T) StreamMark {
			return StreamMark{drawStream(t), number.Draw(t, "position")}
		}), drawSignature(t)}
	},
	KindPage: func(t *rapid.T) Message { return drawPage(t, recordtest.Draw(t)) },
	KindRefusal: func(t *rapid.T) Message {
		r := &Refusal{Counter: number.Draw(t, "counter"), Code: drawCode(t), Detail: text.Draw(t, "detail"), At: moments.Draw(t, "at"), Settled: Settled(rapid.IntRange(0, 2).Draw(t, "settled"))}
		if r.Settled == Released {
			r.As = conflict.Dot{Replica: conflict.ReplicaID(drawToken(t)), Counter: number.Draw(t, "as")}
		}
		return r
	},
	KindHubMark: func(t *rapid.T) Message {
		return &HubMark{text.Draw(t, "unit"), text.Draw(t, "register"), number.Draw(t, "revision")}
	},
	KindDefinition: func(t *rapid.T) Message {
		b := []byte(rapid.StringN(0, 3000, -1).Draw(t, "body"))
		if len(b) == 0 {
			b = nil
		}
		return &Definition{text.Draw(t, "register"), rapid.Uint32().Draw(t, "version"), b}
	},
	KindWithdraw: func(t *rapid.T) Message { return &Withdraw{drawStream(t), drawCode(t)} },
	KindError: func(t *rapid.T) Message {
		return &Error{drawCode(t), rapid.Uint32().Draw(t, "retry"), text.Draw(t, "detail")}
	},
}

// same reports whether two messages say the same. A page's fields are compared
// by their own meaning of equal.
func same(a, b Message) bool {
	p, ok := a.(*Page)
	if !ok {
		return reflect.DeepEqual(a, b)
	}
	q, ok := b.(*Page)
	if !ok || p.Stream != q.Stream || p.Floor != q.Floor || p.From != q.From || p.To != q.To || p.Head != q.Head ||
		!bytes.Equal(p.Signature, q.Signature) || len(p.Records) != len(q.Records) {
		return false
	}
	for i := range p.Records {
		x, y := p.Records[i], q.Records[i]
		if x.Record != y.Record || x.Left != y.Left || len(x.Fields) != len(y.Fields) {
			return false
		}
		for j := range x.Fields {
			if x.Fields[j].Key != y.Fields[j].Key || !x.Fields[j].Field.Equal(y.Fields[j].Field) {
				return false
			}
		}
	}
	return true
}

func TestRoundTrip(t *testing.T) {
	for k := range 256 {
		kind := Kind(k)
		draw, ok := drawMessage[kind]
		if !ok {
			if _, err := Decode([]byte{byte(kind), 0, 0, 0, 0}); err == nil {
				t.Errorf("kind %d is decoded but not tested", kind)
			}
			continue
		}
		t.Run(fmt.Sprintf("%T", rapid.Custom(draw).Example(1)), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := draw(t)
				b := Encode([]byte("before"), m)[len("before"):]
				got, err := Decode(b)
				if err != nil {
					t.Fatalf("decode %x: %v", b, err)
				}
				if !same(got, m) {
					t.Fatalf("got %+v, want %+v", got, m)
				}
				if p, ok := got.(*Page); ok {
					plain, ok := plainPage(append([]byte(pageSignature), make([]byte, 16)...), p.Wire)
					if want := PageBytes(Token{}, p); !ok || !bytes.Equal(plain, want) {
						t.Fatalf("laid out from the wire\n%x, from what it says\n%x", plain, want)
					}
				}
				if again := Encode(nil, got); !bytes.Equal(again, b) {
					t.Fatalf("decoded, then encoded\n%x, want\n%x", again, b)
				}
				if plain := appendMessage(nil, m, false); !bytes.Equal(plain, unpacked(t, b)) {
					t.Fatalf("packing changed the columns of %x", b)
				}
			})
		})
	}
}

// TestDamage changes encoded messages: what is still accepted must be in the
// one layout that the encoder writes.
func TestDamage(t *testing.T) {
	refused, accepted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		b := appendMessage(nil, drawMessage[rapid.SampledFrom([]Kind{KindPush, KindPage, KindPush, KindPage, KindAck, KindHello, KindWelcome}).Draw(t, "kind")](t),
			rapid.Bool().Draw(t, "pack"))
		switch at := rapid.IntRange(0, len(b)-1).Draw(t, "at"); rapid.IntRange(0, 2).Draw(t, "damage") {
		case 0:
			b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			b = append(b[:at:at], b[at+1:]...)
		case 2:
			b = append(append(b[:at:at], rapid.Byte().Draw(t, "byte")), b[at:]...)
		}
		m, err := Decode(b)
		if err != nil {
			refused++
			return
		}
		accepted++
		if plain := appendMessage(nil, m, false); !bytes.Equal(plain, unpacked(t, b)) {
			t.Fatalf("accepted\n%x, but its layout is\n%x", unpacked(t, b), plain)
		}
	})
	if refused == 0 || accepted == 0 {
		t.Errorf("%d refused, %d accepted: the test tests nothing", refused, accepted)
	}
}

func TestDecodeSharesNothing(t *testing.T) {
	c := newCity(3)
	b := Encode(nil, &Push{Changesets: c.made})
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !same(m, &Push{Changesets: c.made}) {
		t.Error("the message changed with the bytes that it was read from")
	}
}

func TestEncodePanicsOnForeignPush(t *testing.T) {
	c := newCity(2)
	other := c.made[1]
	other.Dot.Replica[0]++
	for name, all := range map[string][]record.Changeset{"two replicas": {c.made[0], other}, "backwards": {c.made[1], c.made[0]}} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("encoded")
				}
			}()
			Encode(nil, &Push{Changesets: all})
		})
	}
}

func TestWireVersion(t *testing.T) {
	b := Encode(nil, &Hello{Version: Version + 1})
	if _, err := Decode(b); !errors.Is(err, ErrVersion) || CodeOf(err) != UnsupportedWire {
		t.Errorf("got %v, want %v", err, ErrVersion)
	}
	// Whatever a later version puts after the number, the number is read first.
	if _, err := Decode(append(b[:2:2], "something new"...)); !errors.Is(err, ErrVersion) {
		t.Errorf("got %v, want %v", err, ErrVersion)
	}
}

// TestPushHead: a push whose body is damaged still tells its counters.
func TestPushHead(t *testing.T) {
	c := newCity(10)
	b := Encode(nil, &Push{Changesets: c.made[3:7]})
	type head struct {
		first, count, changesets uint64
		ok                       bool
	}
	check := func(name string, b []byte, want head) {
		t.Helper()
		var got head
		if got.first, got.count, got.changesets, got.ok = PushHead(b); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	check("whole", b, head{61, 80, 4, true})
	damaged := bytes.Clone(b)
	for i := 12; i < len(damaged); i++ {
		damaged[i] ^= 0x55
	}
	if _, err := Decode(damaged); err == nil {
		t.Error("the damaged push was decoded")
	}
	check("damaged", damaged, head{61, 80, 4, true})
	check("cut", b[:20], head{61, 80, 4, true})
	check("cut in its head", b[:2], head{})
	check("another kind", Encode(nil, &Ping{61}), head{})
	check("no push at all", nil, head{})
	check("empty push", Encode(nil, &Push{}), head{})
	check("an absurd count", appendNumber(appendNumber([]byte{byte(KindPush)}, 5), 1<<40), head{})
}

// bomb builds a push whose head and columns the caller chooses.
func bomb(head []uint64, cols map[int][]byte) []byte {
	b := []byte{byte(KindPush)}
	for _, n := range head {
		b = appendNumber(b, n)
	}
	for i := range pushColumns {
		if c, ok := cols[i]; ok {
			b = append(b, c...)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

func deflated(claim, n int) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 9)
	w.Write(make([]byte, n))
	w.Close()
	b := appendNumber(appendNumber(nil, uint64(claim)<<2|packFlate), uint64(out.Len()))
	return append(b, out.Bytes()...)
}

// TestBombs: what a hostile message makes us allocate stays within MaxDecoded,
// its own size, and what the pools keep.
func TestBombs(t *testing.T) {
	same := func(n uint64, c byte) []byte { return append(appendNumber(nil, n<<2|packSame), c) }
	replica := append(appendNumber(nil, 16<<2), make([]byte, 16)...)
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"a column of 900 MB", bomb([]uint64{1, 1, 1, 1, 1}, map[int][]byte{pushValue: deflated(900<<20, 64<<20)}), ErrTooLarge},
		{"a column longer than it claims", bomb([]uint64{1, 1, 1, 1, 1}, map[int][]byte{pushValue: deflated(100, 64<<20)}), ErrMalformed},
		{"a column of the greatest weight", bomb([]uint64{1, 1, 1, 1, 1}, map[int][]byte{pushValue: deflated(MaxDecoded-1000, MaxDecoded-1000)}), ErrMalformed},
		{"many columns", bomb([]uint64{1, 1, 1, 1, 1}, map[int][]byte{pushValue: deflated(3<<20, 3<<20), pushLength: deflated(3<<20, 3<<20)}), ErrTooLarge},
		{"many writes", bomb([]uint64{1, 60000, 1, 1, 60000}, map[int][]byte{colReplicas: replica, pushKey: same(60000, 2)}), ErrMalformed},
		{"more writes than weigh", bomb([]uint64{1, 60000, 1, 1, 1 << 40}, nil), ErrTooLarge},
		{"more edits than weigh", bomb([]uint64{1, 60000, 1, 1 << 63, 1}, nil), ErrTooLarge},
		{"a replica per 16 bytes", bomb([]uint64{1, 1, 1, 1, 1}, map[int][]byte{colReplicas: deflated(2<<20, 2<<20)}), ErrMalformed},
		{"too many bytes", make([]byte, MaxMessage+1), ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			Decode(tt.b) // fills the pools
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(tt.b)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			cost := int(after.TotalAlloc - before.TotalAlloc)
			t.Logf("%d bytes cost %d bytes", len(tt.b), cost)
			if limit := MaxDecoded + len(tt.b) + 128<<10; cost > limit {
				t.Errorf("cost %d bytes, at most %d", cost, limit)
			}
		})
	}
}

// TestWeights: what the weight functions promise holds for real messages.
func TestWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := recordtest.Draw(t)
		weigh := func(m Message, head int, most int) {
			b := Encode(nil, m)
			r := reading{weight: MaxDecoded}
			s := source{b: string(b), off: 1, bad: &r.bad}
			r.message(m.Kind(), &s)
			if got := MaxDecoded - r.weight; r.bad || got > most {
				t.Fatalf("%T weighs %d, promised at most %d", m, got, most)
			}
			if len(b) > most+head {
				t.Fatalf("%T takes %d bytes, promised at most %d", m, len(b), most+head)
			}
		}
		push := drawPush(t, h)
		most := 0
		for i := range push.Changesets {
			most += ChangesetWeight(&push.Changesets[i])
		}
		weigh(push, 100, most+1)
		page := drawPage(t, h)
		most = 0
		for i := range page.Records {
			most += RecordWeight(&page.Records[i])
		}
		weigh(page, 400, most+1)
	})
}
