package protocol

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/record"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden and the dumps beside them")

func replica(b byte) conflict.ReplicaID { return conflict.ReplicaID(bytes.Repeat([]byte{b}, 16)) }

func dot(b byte, n uint64) conflict.Dot { return conflict.Dot{Replica: replica(b), Counter: n} }

func filled(b byte) (t Token) { return Token(bytes.Repeat([]byte{b}, 16)) }

func write(id conflict.FieldID, v conflict.Value, context ...conflict.Dot) record.Write {
	return record.Write{Key: conflict.Key(id), Value: v, Context: conflict.NewVector(context...)}
}

func element(id conflict.FieldID, elem string, v conflict.Value, context ...conflict.Dot) record.Write {
	w := write(id, v, context...)
	w.Key.Elem = elem
	return w
}

// goldens are one message of each kind, and the edge cases of the two that
// have columns.
func goldens() map[string]Message {
	residents := Stream{"26734", "residents", Basic}
	create := record.Changeset{Dot: dot(1, 21), Unit: "26734", Author: "officer.a", At: testAt, Edits: []record.Edit{{
		Record: dot(1, 21), Register: "residents", Definition: 1,
		Writes: []record.Write{write(16, "Nguyễn Văn An"), write(17, "1987-05"), write(18, ""), element(30, "pupil", "1")}}}}
	household := record.Changeset{Dot: dot(1, 25), Unit: "26734", Author: "officer.a", At: testAt + 61_000, Edits: []record.Edit{
		{Record: dot(1, 21), Register: "residents", Definition: 1, Source: conflict.Card, Writes: []record.Write{
			write(0, "deleted;;16=", dot(1, 9)), write(17, "1987-05-01", dot(1, 22)), element(30, "pupil", "", dot(1, 24))}},
		{Record: dot(2, 300), Register: "households", Definition: 3, Writes: []record.Write{
			write(16, "12/3 Lê Lợi", dot(2, 300)), write(17, "4", dot(1, 3), dot(2, 301), dot(3, 7)), write(19, "5", dot(1, 3), dot(2, 301), dot(3, 7))}},
		{Record: dot(1, 31), Register: "households", Definition: 3, Writes: []record.Write{write(16, "12/5 Lê Lợi")}}}}
	later := record.Changeset{Dot: dot(1, 40), Unit: "26737", Author: "officer.b", At: -1, Edits: []record.Edit{{
		Record: dot(2, 300), Register: "households", Definition: 3, Writes: []record.Write{write(16, "x", dot(1, 28))}}}}

	a := create.Apply(conflict.Record{}, 0, testAt+1500)
	over := record.Changeset{Dot: dot(2, 310), Author: "officer.b", At: testAt + 5000, Edits: []record.Edit{{Record: dot(1, 21), Definition: 1,
		Writes: []record.Write{write(17, "1987-05-01", dot(1, 22)), write(18, "0901234567", dot(1, 23))}}}}.Apply(a, 0, testAt+6000)
	conflicted := record.Changeset{Dot: dot(3, 1), Author: "officer.c", At: testAt + 4000, Edits: []record.Edit{{Record: dot(1, 21), Definition: 1,
		Source: conflict.Card, Writes: []record.Write{write(17, "1978-05-01", dot(1, 22)), write(40, "new", dot(1, 22))}}}}.Apply(over, 0, 0)
	signature := bytes.Repeat([]byte{0xab}, 64)

	return map[string]Message{
		"hello": &Hello{Version: 1, App: "1.0.0+abc", Token: "header.claims.signature", Replica: replica(1), Epoch: filled(2), Current: filled(3), Next: filled(4),
			Acked: 20, Last: 40, At: testAt, Streaming: true, Scopes: []Scope{{Stream: residents, Neighbourhoods: []string{"kp01", "kp02"}, Cursor: 300, Floor: 250, Priority: 1},
				{Stream: Stream{"26734", "residents", Sensitive}}}, Defs: []DefinitionRef{{"residents", 1}}},
		"hello_first":       &Hello{Version: 1},
		"hello_version_2":   &Hello{Version: 2},
		"welcome_version_2": &Welcome{Version: 2, Epoch: filled(2), At: testAt},
		"push_empty":        &Push{},
		"push_create":       &Push{Changesets: []record.Changeset{create}},
		"push_edits":        &Push{Changesets: []record.Changeset{create, household, later}},
		"applied":           &Applied{residents, 400},
		"renew":             &Renew{"header.claims.signature"},
		"report":            &Report{Unsent: 12, Oldest: testAt, Headroom: 1 << 30},
		"scope":             &ScopeChange{[]Scope{{Stream: residents, Cursor: 1}}},
		"ping":              &Ping{1},
		"pong":              &Pong{1 << 63},
		"welcome":           &Welcome{Version: 1, Epoch: filled(2), Acked: 20, BackedUp: 12, At: testAt, Grants: []Grant{{OK, 300, 420, 2000, 350}, {Code: Forbidden}}},
		"welcome_forked":    &Welcome{Version: 1, Verdict: Forked, Epoch: filled(2), At: -1, Stored: []Stored{{21, record.Hash(filled(9))}}},
		"ack":               &Ack{Through: 31, Received: testAt, Marks: []StreamMark{{residents, 421}}, Signature: signature},
		"ack_unsigned":      &Ack{Through: 31},
		"page_empty":        &Page{Stream: residents, Floor: 250, From: 300, To: 420, Head: 420},
		"page_settled":      &Page{Stream: residents, Floor: 200, From: 300, To: 420, Head: 421, Records: []RecordDelta{delta(dot(1, 21), over)}, Signature: signature},
		"page_conflict":     &Page{Stream: residents, To: 7, Head: 421, Records: []RecordDelta{delta(dot(1, 21), conflicted), {Record: dot(1, 50), Left: true}, {Record: dot(9, 1)}, delta(dot(1, 21), conflicted, conflict.Key(18))}},
		"refusal":           &Refusal{Counter: 21, Code: Forbidden, Detail: "residents/16", At: testAt},
		"refusal_released":  &Refusal{Counter: 21, Code: Brake, At: testAt, Settled: Released, As: dot(9, 310)},
		"refusal_rejected":  &Refusal{Counter: 21, Code: Brake, At: testAt, Settled: Rejected},
		"return":            &Return{N: 7, Pages: []SignedPage{{filled(2), Encode(nil, &Page{Stream: residents, From: 300, To: 420, Head: 420, Signature: signature})}, {filled(3), []byte{byte(KindPage)}}}},
		"return_empty":      &Return{N: 1},
		"returned":          &Returned{7, []StreamMark{{residents, 421}}},
		"known":             &Known{300},
		"erased":            &Erased{3, 300, []conflict.RecordID{{Replica: conflict.ReplicaID{1, 2}, Counter: 9}, {Replica: conflict.ReplicaID{3}, Counter: 1}}},
		"erased_nothing":    &Erased{3, 4, nil},
		"hubmark":           &HubMark{"26734", "residents", 77},
		"definition":        &Definition{"residents", 2, []byte(`{"id":"residents"}`)},
		"definition_empty":  &Definition{Register: "residents"},
		"withdraw":          &Withdraw{residents, Revoked},
		"error":             &Error{Busy, 30, "try later"},
		"push_packed":       &Push{Changesets: newCity(8).made},
	}
}

// dump writes a message for people to read.
func dump(m Message) string {
	var b strings.Builder
	switch m := m.(type) {
	case *Push:
		fmt.Fprintf(&b, "push of %d\n", len(m.Changesets))
		for _, c := range m.Changesets {
			fmt.Fprintf(&b, "changeset %v unit %s author %s at %d\n", c.Dot, c.Unit, c.Author, c.At)
			for _, e := range c.Edits {
				fmt.Fprintf(&b, "  record %v register %s definition %d source %d\n", e.Record, e.Register, e.Definition, e.Source)
				for _, w := range e.Writes {
					fmt.Fprintf(&b, "    %v = %q over [%v]\n", w.Key, w.Value, w.Context)
				}
			}
		}
	case *Page:
		fmt.Fprintf(&b, "page of %+v floor %d from %d to %d head %d signature %x\n", m.Stream, m.Floor, m.From, m.To, m.Head, m.Signature)
		for _, d := range m.Records {
			fmt.Fprintf(&b, "record %v left %v\n", d.Record, d.Left)
			for _, e := range d.Fields {
				fmt.Fprintf(&b, "  %v under [%v]\n", e.Key, e.Field.Vector())
				for _, s := range e.Field.Siblings() {
					fmt.Fprintf(&b, "    %v = %q by %s at %d received %d definition %d source %d\n",
						s.Dot, s.Value, s.Origin.Author, s.Origin.At, s.Origin.Received, s.Origin.Definition, s.Origin.Source)
				}
			}
		}
	case *Hello:
		fmt.Fprintf(&b, "hello wire %d app %q token %q replica %v at %d streaming %v\n", m.Version, m.App, m.Token, m.Replica, m.At, m.Streaming)
		fmt.Fprintf(&b, "epoch %x current %x next %x acked %d last %d definitions %v\n", m.Epoch, m.Current, m.Next, m.Acked, m.Last, m.Defs)
		dumpScopes(&b, m.Scopes)
	case *ScopeChange:
		fmt.Fprintf(&b, "scope change\n")
		dumpScopes(&b, m.Scopes)
	case *Definition:
		fmt.Fprintf(&b, "definition of %s version %d: %s\n", m.Register, m.Version, m.Body)
	default:
		fmt.Fprintf(&b, "%s %+v\n", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "*protocol.")), m)
	}
	return b.String()
}

func dumpScopes(b *strings.Builder, scopes []Scope) {
	for _, s := range scopes {
		fmt.Fprintf(b, "  unit %s register %s class %d neighbourhoods %v cursor %d floor %d priority %d\n",
			s.Unit, s.Register, s.Class, s.Neighbourhoods, s.Cursor, s.Floor, s.Priority)
	}
}

func hexLines(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		s.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return s.String()
}

// readGolden returns the bytes of all golden files by name.
func readGolden(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(paths) == 0 {
		t.Fatalf("the seed corpus testdata/*.golden is empty: %v", err)
	}
	all := map[string][]byte{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		all[strings.TrimSuffix(filepath.Base(p), ".golden")] = b
	}
	return all
}

func TestGolden(t *testing.T) {
	messages := goldens()
	if *update {
		for name, m := range messages {
			for file, text := range map[string]string{name + ".golden": hexLines(Encode(nil, m)), name + ".txt": dump(m)} {
				if err := os.WriteFile(filepath.Join("testdata", file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	all := readGolden(t)
	kinds := map[Kind]bool{}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			want, ok := messages[name]
			if !ok {
				t.Fatal("no message has this name")
			}
			kinds[want.Kind()] = true
			got, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			if d := dump(got); d != string(text) {
				t.Errorf("got\n%swant\n%s", d, text)
			}
			// A packed column may come out differently of a later compressor, so
			// what is compared is what it holds. Most files have none.
			if e := Encode(nil, want); !bytes.Equal(unpacked(t, e), unpacked(t, b)) {
				t.Errorf("encode: got\n%swant\n%s", hexLines(e), hexLines(b))
			}
		})
	}
	if len(all) != len(messages) {
		t.Errorf("got %d golden files for %d messages", len(all), len(messages))
	}
	for k := range drawMessage {
		if !kinds[k] {
			t.Errorf("kind %d has no golden file", k)
		}
	}
	if b := all["push_packed"]; len(b) > 0 && bytes.Equal(unpacked(t, b), b) {
		t.Error("push_packed has no packed column")
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range readGolden(f) {
		f.Add(b)
		m, err := Decode(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(appendMessage(nil, m, false))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		PushHead(b)
		m, err := Decode(b)
		if err != nil {
			return
		}
		if plain := appendMessage(nil, m, false); !bytes.Equal(plain, unpacked(t, b)) {
			t.Errorf("accepted\n%x, but its layout is\n%x", unpacked(t, b), plain)
		}
		again, err := Decode(Encode(nil, m))
		if err != nil || !same(again, m) {
			t.Errorf("encoded and decoded again it is another message: %v", err)
		}
	})
}

func FuzzReadFrames(f *testing.F) {
	var body []byte
	for _, b := range readGolden(f) {
		body = AppendFrame(body, b)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, err := ReadFrames(b)
		var again []byte
		for _, m := range frames {
			again = AppendFrame(again, m)
		}
		if !bytes.HasPrefix(b, again) || err == nil && len(again) != len(b) {
			t.Errorf("%d messages of %x make %x", len(frames), b, again)
		}
	})
}
