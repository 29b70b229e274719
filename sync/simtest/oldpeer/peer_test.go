package oldpeer

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
	"wardbook/sync/simtest/town"
)

var update = flag.Bool("update", false, "write the golden stream anew; only as long as the wire is a draft")

const golden = "testdata/wire-1.txt"

var (
	me    = Replica{1, 2, 3}
	other = Replica{9}
	unit  = "26734"
)

func dot(n uint64) Dot { return Dot{me, n} }

// outbox is what the peer wrote: records made, changed, deleted and sent away, several
// at a time, with every form of context, text beyond ASCII, and one that no server
// takes.
func outbox() []Changeset {
	return []Changeset{
		{Dot: dot(1), Unit: unit, Author: "officer.a", At: 1_790_000_000_123, Edits: []Edit{{Record: dot(1), Register: "cards", Definition: 1,
			Writes: []Write{{Field: 16, Value: "Nguyễn Văn Hòa"}, {Field: 17, Value: "note"}, {Field: 18, Value: "0901"}}}}},
		{Dot: dot(4), Unit: unit, Author: "officer.a", At: 1_790_000_000_001, Edits: []Edit{
			{Record: dot(1), Register: "cards", Definition: 1, Source: 1, Writes: []Write{{Field: 16, Context: []Dot{dot(1)}, Value: "Hòa"},
				{Field: 17, Context: []Dot{dot(2)}, Value: ""}}},
			{Record: dot(6), Register: "cards", Definition: 1, Writes: []Write{{Field: 16, Value: "Mai"}, {Field: 19, Value: "7"}}}}},
		{Dot: dot(8), Unit: unit, Author: "officer.a", At: -1, Edits: []Edit{{Record: dot(6), Register: "cards", Definition: 1,
			Writes: []Write{{Field: 0, Value: "deleted;;16="}}}}},
		{Dot: dot(9), Unit: unit, Author: "officer.a", At: 1_790_000_000_200, Edits: []Edit{{Record: dot(1), Register: "cards", Definition: 1,
			Writes: []Write{{Field: 17, Context: []Dot{dot(5), {other, 77}}, Value: "over what nobody wrote"},
				{Field: 19, Context: []Dot{dot(5), {other, 77}}, Value: "x"}, {Field: 20, Element: "e", Value: "1"}}}}},
		{Dot: dot(12), Unit: unit, Author: "officer.a", At: 1_790_000_000_300, Edits: []Edit{{Record: dot(1), Register: "cards", Definition: 1,
			Writes: []Write{{Field: 18, Context: []Dot{dot(3)}, Value: "0902"}}}}},
	}
}

func hello(version uint64) Hello {
	return Hello{Version: version, App: "an old build", Token: "token", Replica: me, Next: [16]byte{7}, Last: 12, At: 1_790_000_000_400, Streaming: true,
		Scopes: []Scope{{Unit: unit, Register: "cards", Class: 0}, {Unit: unit, Register: "cards", Class: 1}}}
}

// stream is all that the peer says.
func stream() [][]byte {
	list := outbox()
	return [][]byte{EncodeHello(hello(Version)), EncodePush(list[:1]), EncodePush(list[1:3]), EncodePush(list[3:]), EncodePush(list), EncodePing(300)}
}

// TestStreamIsFrozen: the peer says today what it said when it was made.
func TestStreamIsFrozen(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What a device of wire version 1 says: Hello, the pushes of its outbox in parts, all of it again, Ping.\n")
	for _, m := range stream() {
		fmt.Fprintln(&b, hex.EncodeToString(m))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s, %v", b.String(), want, err)
	}
}

// today is a changeset as the code of today has it.
func today(c Changeset) record.Changeset {
	of := func(d Dot) conflict.Dot {
		return conflict.Dot{Replica: conflict.ReplicaID(d.Replica), Counter: d.Counter}
	}
	out := record.Changeset{Dot: of(c.Dot), Unit: c.Unit, Author: c.Author, At: c.At}
	for _, e := range c.Edits {
		edit := record.Edit{Record: of(e.Record), Register: e.Register, Definition: uint32(e.Definition), Source: conflict.Source(e.Source)}
		for _, w := range e.Writes {
			var context conflict.Vector
			for _, d := range w.Context {
				context = context.With(of(d))
			}
			edit.Writes = append(edit.Writes, record.Write{Key: conflict.FieldKey{ID: conflict.FieldID(w.Field), Elem: w.Element}, Context: context, Value: conflict.Value(w.Value)})
		}
		out.Edits = append(out.Edits, edit)
	}
	return out
}

// TestOldBytesAreRead: what the peer said and stored is read today as what it meant.
func TestOldBytesAreRead(t *testing.T) {
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []protocol.Kind
	var pushed []record.Changeset
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		m, err := protocol.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kinds = append(kinds, m.Kind())
		if p, ok := m.(*protocol.Push); ok {
			pushed = append(pushed, p.Changesets...)
		}
		if h, ok := m.(*protocol.Hello); ok && (h.Replica != conflict.ReplicaID(me) || h.Last != 12 || len(h.Scopes) != 2 || !h.Streaming) {
			t.Errorf("got %+v", h)
		}
	}
	if want := []protocol.Kind{1, 2, 2, 2, 2, 32}; !slices.Equal(kinds, want) {
		t.Errorf("got kinds %v, want %v", kinds, want)
	}
	for i, c := range append(outbox(), outbox()...) {
		if i >= len(pushed) || string(record.AppendChangeset(nil, pushed[i])) != string(c.Bytes()) {
			t.Fatalf("changeset %d: got %+v, want %+v", i, pushed[i], c)
		}
		read, err := record.ParseOwn(c.Bytes())
		if err != nil || read.Hash() != record.Hash(c.Hash()) || string(record.AppendChangeset(nil, today(c))) != string(c.Bytes()) {
			t.Errorf("changeset %d at rest: %+v, %v", i, read, err)
		}
	}
}

// server is the server's end of the peer's connection: the session and the ledger.
type server struct {
	t       *testing.T
	w       *town.Town
	machine *session.Server
	replica conflict.ReplicaID
	said    [][]byte
	over    bool
}

func newServer(t *testing.T, w *town.Town) *server {
	return &server{t: t, w: w, machine: session.NewServer(w.Now)}
}

// hears gives the session a message as it came, and returns what the peer
// understands of the answers.
func (s *server) hears(b []byte) (answers []any) {
	s.t.Helper()
	m, err := protocol.Decode(b)
	if err != nil && !errors.Is(err, protocol.ErrVersion) {
		s.t.Fatal(err)
	}
	s.said = nil
	if err != nil { // as the server's socket answers what it cannot read
		s.step(session.Dismiss{Now: s.w.Now, Error: &protocol.Error{Code: protocol.CodeOf(err)}})
	} else {
		s.step(session.Received{Now: s.w.Now, Message: m})
	}
	for _, b := range s.said {
		a, err := Decode(b)
		if err != nil {
			s.t.Fatalf("%x: %v", b, err)
		}
		if _, skipped := a.(Skipped); !skipped {
			answers = append(answers, a)
		}
	}
	return answers
}

func (s *server) step(e session.Event) {
	author := ledger.Author{Account: "officer.a", Device: "old", Unit: unit, Sensitive: true}
	for _, f := range s.machine.Step(e) {
		var next session.Event
		var err error
		switch f := f.(type) {
		case session.Send:
			s.said = append(s.said, protocol.Encode(nil, f.Message))
		case session.HangUp:
			s.over = true
		case session.Admit:
			s.replica = f.Hello.Replica
			a := session.Admitted{Now: s.w.Now, Expires: s.w.Now + 1<<40}
			err = s.w.DB.Update(func(t ledger.Tables) (err error) {
				a.Welcome, a.More, err = s.w.Ledger.Admit(t, author, f.Hello)
				return err
			})
			next = a
		case session.Commit:
			var out ledger.Outcome
			err = s.w.DB.Update(func(t ledger.Tables) (err error) {
				out, err = s.w.Ledger.Commit(t, author, s.replica, f.Changesets)
				return err
			})
			next = session.Committed{Now: s.w.Now, Ack: out.Ack, Refusals: append(out.Refusals, out.Again...), Forked: out.Forked}
		case session.LoadPage:
			var p *protocol.Page
			err = s.w.DB.View(func(t ledger.Tables) (err error) { p, err = s.w.Ledger.Page(t, f.Scope, f.From, f.Floor); return err })
			next = session.PageLoaded{Now: s.w.Now, Page: p}
		}
		var told *protocol.Error
		if errors.As(err, &told) {
			next, err = session.Rejected{Now: s.w.Now, Error: told}, nil
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if next != nil {
			s.step(next)
		}
	}
}

// TestOldDeviceUploads: a server of today welcomes the peer, takes all that it has,
// says so in words that it understands, and keeps aside what nobody could take.
func TestOldDeviceUploads(t *testing.T) {
	w := town.New(t, town.Cards(1))
	s := newServer(t, w)
	out := stream()
	answers := s.hears(out[0])
	if len(answers) != 1 {
		t.Fatalf("Hello: got %+v", answers)
	}
	welcome, ok := answers[0].(Welcome)
	if !ok || welcome.Version != Version || welcome.Verdict != 0 || welcome.Acked != 0 || !slices.Equal(welcome.Grants, []uint64{0, 0}) {
		t.Fatalf("got %+v", answers[0])
	}
	want := [][]any{{Ack{3}}, {Ack{8}}, {Refusal{Counter: 9, Code: uint64(protocol.ContextAhead)}, Ack{12}},
		{Refusal{Counter: 9, Code: uint64(protocol.ContextAhead)}, Ack{12}}, {Pong{300}}}
	for i, b := range out[1:] {
		if got := s.hears(b); fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("message %d: got %+v, want %+v", i+1, got, want[i])
		}
	}
	one, _ := w.State(today(outbox()[0]).Dot.String())
	for id, want := range map[conflict.FieldID]conflict.Value{16: "Hòa", 17: "", 18: "0902"} {
		if f := one.Field(conflict.Key(id)); f.Len() != 1 || f.At(0).Value != want {
			t.Errorf("field %d: got %v, want %q", id, f, want)
		}
	}
	two, _ := w.State((conflict.Dot{Replica: conflict.ReplicaID(me), Counter: 6}).String())
	if two.Life() == conflict.Alive {
		t.Errorf("the second record: got %v", two.Life())
	}
	w.Conserve()

	// It comes back: what it was told is true, and a copy of it learns what is held.
	again := hello(Version)
	again.Epoch, again.Held, again.Next, again.Acked = welcome.Epoch, [16]byte{7}, [16]byte{8}, 12
	if got := newServer(t, w).hears(EncodeHello(again)); len(got) < 1 || got[len(got)-1].(Welcome).Verdict != 0 || got[len(got)-1].(Welcome).Acked != 12 {
		t.Errorf("Hello again: got %+v", got)
	}
	stale := hello(Version)
	stale.Epoch, stale.Held, stale.Next = welcome.Epoch, [16]byte{1}, [16]byte{2}
	var forked Welcome
	for _, a := range newServer(t, w).hears(EncodeHello(stale)) {
		if m, ok := a.(Welcome); ok {
			forked = m
		}
	}
	if forked.Verdict != 2 || len(forked.Stored) != len(outbox()) {
		t.Fatalf("Hello of a copy: got %+v", forked)
	}
	for i, c := range outbox() {
		if got := forked.Stored[i]; got.Counter != c.Dot.Counter || got.Hash != c.Hash() {
			t.Errorf("stored %d: got %+v, want %d with %x", i, got, c.Dot.Counter, c.Hash())
		}
	}
}

// TestStrangeVersions: a device whose version is out of range is told so, and nothing
// else is read of it.
func TestStrangeVersions(t *testing.T) {
	for _, version := range []uint64{0, protocol.Version + 1, 900} {
		s := newServer(t, town.New(t, town.Cards(1)))
		b := append(EncodeHello(hello(version)), "whatever follows"...)
		if got, want := fmt.Sprint(s.hears(b)), fmt.Sprint([]any{Failure{Code: uint64(protocol.UnsupportedWire)}}); got != want || !s.over {
			t.Errorf("version %d: got %v, want %v; hung up: %v", version, got, want, s.over)
		}
	}
}

// TestLaterServers: servers whose own wire version is one and two beyond the peer's take
// its uploads too, and answer in its version. They are this code with another number:
// the test of the uploads is compiled and run once more with each.
func TestLaterServers(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the server's end twice")
	}
	source, err := filepath.Abs("../../protocol/message.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for later := Version + 1; later <= Version+2; later++ {
		t.Run(fmt.Sprint(later), func(t *testing.T) {
			now, then := fmt.Sprintf("\nconst Version = %d\n", protocol.Version), fmt.Sprintf("\nconst Version = %d\n", later)
			if strings.Count(string(text), now) != 1 || protocol.OldestPush > Version {
				t.Fatalf("%s does not say %q, or speaks no more to version %d", source, now, Version)
			}
			changed := filepath.Join(t.TempDir(), "message.go")
			if err := os.WriteFile(changed, []byte(strings.Replace(string(text), now, then, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: changed}})
			if err != nil {
				t.Fatal(err)
			}
			list := filepath.Join(t.TempDir(), "overlay.json")
			if err := os.WriteFile(list, overlay, 0o644); err != nil {
				t.Fatal(err)
			}
			said, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-overlay", list, "-run", "^TestOldDeviceUploads$", ".").CombinedOutput()
			if err != nil || !strings.Contains(string(said), "--- PASS: TestOldDeviceUploads") {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}
