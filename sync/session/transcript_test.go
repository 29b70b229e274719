package session

import (
	"bufio"
	"crypto/ed25519"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// A transcript is a text: prose lines begin with #, events with a word in the
// first column, effects with two spaces. The test replays the events and
// compares the effects.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatalf("got %d transcripts (%v), want at least 8", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(want), "# ") {
				t.Errorf("%s does not open with a sentence on what it shows", file)
			}
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
			}
		})
	}
}

// stage is what a transcript plays on: a client, or a server.
type stage struct {
	now    int64
	client *Client
	server *Server
	rand   uint64
}

func replay(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	s := &stage{now: 1_000_000}
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		line := sc.Text()
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		effects, err := s.play(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, e := range effects {
			fmt.Fprintln(&out, "  "+s.show(e))
		}
	}
	return out.String()
}

// args are the words NAME=VALUE of an event line.
type args map[string]string

func (a args) number(name string) uint64 {
	n, _ := strconv.ParseUint(a[name], 10, 64)
	return n
}

func token(text string) protocol.Token {
	var t protocol.Token
	copy(t[:], text)
	return t
}

var (
	self   = conflict.ReplicaID{1}
	stream = protocol.Stream{Unit: "27169", Register: "residents"}
	second = protocol.Stream{Unit: "27169", Register: "addresses"}
)

// testKey is the server's.
var testKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

func changesets(from, to uint64) []record.Changeset {
	var list []record.Changeset
	for n := from; n <= to; n++ {
		d := conflict.Dot{Replica: self, Counter: n}
		list = append(list, record.Changeset{Dot: d, Unit: "27169", Author: "officer.a", Edits: []record.Edit{{Record: d, Register: "residents", Writes: []record.Write{{Key: conflict.Key(16), Value: "x"}}}}})
	}
	return list
}

func (s *stage) play(line string) ([]Effect, error) {
	words := strings.Fields(line)
	a := args{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		a[k] = v
	}
	if n := a["after"]; n != "" { // seconds that pass before the event
		sec, err := strconv.ParseInt(n, 10, 64)
		if err != nil {
			return nil, err
		}
		s.now += sec * 1000
	}
	switch words[0] {
	case "client":
		local := Local{Replica: self, Epoch: token(a["epoch"]), Current: token(a["current"]), Next: token(a["next"]), Acked: a.number("acked"), Last: a.number("last"),
			Scopes: []protocol.Scope{{Stream: stream, Cursor: a.number("cursor")}}}
		s.rand = a.number("rand") // counted on from there
		if a["key"] != "" {
			local.Key = testKey.Public().(ed25519.PublicKey)
		}
		s.client = NewClient(ClientConfig{App: "test", Streaming: a["http"] == "", Rand: func() uint64 { s.rand++; return s.rand }}, local, "token")
		return nil, nil
	case "server":
		s.server = NewServer(s.now)
		return nil, nil
	}
	e, err := s.event(words[0], a)
	if err != nil {
		return nil, err
	}
	if s.client != nil {
		return s.client.Step(e), nil
	}
	return s.server.Step(e), nil
}

func (s *stage) event(name string, a args) (Event, error) {
	received := func(m protocol.Message) (Event, error) { return Received{Now: s.now, Message: m}, nil }
	switch name {
	case "start":
		return Start{s.now}, nil
	case "stop":
		return Stop{}, nil
	case "online":
		return Online{s.now}, nil
	case "opened":
		return Opened{s.now}, nil
	case "lost":
		return Lost{s.now}, nil
	case "failed":
		return Failed{s.now}, nil
	case "tick":
		return Tick{s.now}, nil
	case "saved":
		return Saved{s.now, a.number("last")}, nil
	case "loaded":
		var list []record.Changeset
		if a["to"] != "" {
			list = changesets(a.number("first"), a.number("to"))
		}
		return Loaded{From: a.number("from"), Changesets: list}, nil
	case "rekeyed":
		return Rekeyed{s.now, Local{Replica: conflict.ReplicaID{2}, Last: a.number("last"), Scopes: []protocol.Scope{{Stream: stream}}}}, nil
	case "renewed":
		return TokenRenewed{s.now, a["token"]}, nil
	case "welcome":
		w := &protocol.Welcome{Version: 1, Epoch: token(a["epoch"]), Acked: a.number("acked"), BackedUp: a.number("backedup")}
		w.Grants = []protocol.Grant{{Code: protocol.Code(a.number("code")), From: a.number("from"), Head: a.number("head"), Count: 1}}
		if a["verdict"] == "forked" {
			w.Verdict, w.Grants, w.Stored = protocol.Forked, make([]protocol.Grant, 1), []protocol.Stored{{Counter: 1}}
		}
		return received(w)
	case "ack":
		ack := &protocol.Ack{Through: a.number("through"), Received: s.now}
		if a["mark"] != "" {
			ack.Marks = []protocol.StreamMark{{Stream: stream, Position: a.number("mark")}}
		}
		if a["signed"] != "" {
			protocol.SignAck(testKey, token(a["signed"]), self, ack)
		}
		return received(ack)
	case "page":
		p := &protocol.Page{Stream: stream, From: a.number("from"), To: a.number("to"), Head: a.number("head")}
		if a["signed"] != "" {
			protocol.SignPage(testKey, token(a["signed"]), p)
		}
		return received(p)
	case "kept":
		var pages []Kept
		if a["from"] != "" {
			for n := a.number("from"); n <= a.number("to"); n++ {
				pages = append(pages, Kept{n, protocol.SignedPage{Epoch: token("e"), Body: []byte{1}}})
			}
		}
		return KeptLoaded{pages}, nil
	case "returned":
		return received(&protocol.Returned{N: a.number("n")})
	case "return":
		return received(&protocol.Return{N: a.number("n"), Pages: []protocol.SignedPage{{Epoch: token("e")}}})
	case "tookback":
		return TookBack{s.now, &protocol.Returned{N: a.number("n")}}, nil
	case "known":
		return received(&protocol.Known{Erasures: a.number("n")})
	case "erased":
		m := &protocol.Erased{After: a.number("after_no"), Through: a.number("through")}
		if a["own"] != "" {
			m.Records = []conflict.RecordID{{Replica: self, Counter: a.number("own")}}
		}
		return received(m)
	case "erasedmore":
		return ErasedMore{s.now}, nil
	case "erasuresloaded":
		e := ErasuresLoaded{Now: s.now}
		if a["through"] != "" {
			e.Erased = &protocol.Erased{After: a.number("from"), Through: a.number("through")}
		}
		return e, nil
	case "refusal":
		return received(&protocol.Refusal{Counter: a.number("counter"), Code: protocol.Forbidden})
	case "pong":
		return received(&protocol.Pong{N: a.number("n")})
	case "ping":
		return received(&protocol.Ping{N: a.number("n")})
	case "error":
		return received(&protocol.Error{Code: protocol.Code(a.number("code")), RetryAfter: uint32(a.number("retry"))})
	case "hello":
		h := &protocol.Hello{Version: uint16(max(1, a.number("version"))), Replica: self, Streaming: a["http"] == "", Last: a.number("last"),
			Scopes: []protocol.Scope{{Stream: stream, Priority: 2}, {Stream: second, Priority: 1}}}
		return received(h)
	case "push":
		return received(&protocol.Push{Changesets: changesets(a.number("from"), a.number("to"))})
	case "applied":
		return received(&protocol.Applied{Stream: stream, To: a.number("to")})
	case "admitted":
		w := &protocol.Welcome{Grants: []protocol.Grant{{Head: a.number("head")}, {Head: a.number("head2")}}}
		if a["verdict"] == "forked" {
			w.Verdict = protocol.Forked
		}
		admitted := Admitted{Now: s.now, Welcome: w, Expires: s.now + 900_000}
		if a["erased"] != "" {
			admitted.More = append(admitted.More, &protocol.Erased{After: a.number("from"), Through: a.number("erased")})
		}
		if a["news"] != "" {
			admitted.More = []protocol.Message{&protocol.HubMark{Revision: a.number("news")}}
		}
		return admitted, nil
	case "rejected":
		return Rejected{s.now, &protocol.Error{Code: protocol.Code(a.number("code"))}}, nil
	case "committed":
		if a["forked"] != "" {
			return Committed{Now: s.now, Forked: &protocol.Welcome{Verdict: protocol.Forked}}, nil
		}
		c := Committed{Now: s.now}
		if a["through"] != "" {
			c.Ack = &protocol.Ack{Through: a.number("through")}
		}
		if a["refused"] != "" {
			c.Refusals = []*protocol.Refusal{{Counter: a.number("refused"), Code: protocol.Forbidden}}
		}
		return c, nil
	case "grew":
		return Grew{s.now, []protocol.StreamMark{{Stream: stream, Position: a.number("head")}}}, nil
	case "pageloaded":
		p := &protocol.Page{Stream: stream, From: a.number("from"), To: a.number("to"), Head: a.number("to")}
		if a["second"] != "" {
			p.Stream = second
		}
		return PageLoaded{s.now, p}, nil
	case "dismiss":
		return Dismiss{s.now, &protocol.Error{Code: protocol.Code(a.number("code"))}}, nil
	}
	return nil, fmt.Errorf("unknown event %q", name)
}

// show writes an effect in one line.
func (s *stage) show(e Effect) string {
	switch e := e.(type) {
	case Send:
		return "send " + showMessage(e.Message)
	case Wake:
		return fmt.Sprintf("wake in %.1f s", float64(e.At-s.now)/1000)
	case StoreNext:
		return "store the next incarnation"
	case LoadOutbox:
		return fmt.Sprintf("load outbox from %d, most %d", e.From, e.Most)
	case StoreWelcome:
		return fmt.Sprintf("store welcome: acked %d, cursor %d", e.Welcome.Acked, e.Scopes[0].Cursor)
	case StoreAck:
		return fmt.Sprintf("store receipt through %d", e.Ack.Through)
	case StorePage:
		return fmt.Sprintf("store page %d to %d", e.Page.From, e.Page.To)
	case StoreRefusal:
		return fmt.Sprintf("store refusal of %d: %v", e.Refusal.Counter, e.Refusal.Code)
	case Rekey:
		return fmt.Sprintf("take a new replica id, %d stored hashes told", len(e.Stored))
	case Tell:
		synced := ""
		if e.Status.Synced {
			synced = ", synced"
		}
		if e.Status.Link == Stopped {
			synced += ", " + e.Status.Failure.String()
		}
		return fmt.Sprintf("tell %v: acked %d, sent %d, last %d%s", e.Status.Link, e.Status.Acked, e.Status.Sent, e.Status.Last, synced)
	case Commit:
		return fmt.Sprintf("commit %d to %d", e.Changesets[0].Dot.Counter, e.Changesets[len(e.Changesets)-1].Last().Counter)
	case StoreErased:
		return fmt.Sprintf("store erased through %d", e.Erased.Through)
	case LoadErasures:
		return fmt.Sprintf("load erasures after %d, known to %d", e.After, e.Known)
	case Admit:
		if e.Known != nil {
			return fmt.Sprintf("admit, erasures known to %d", e.Known.Erasures)
		}
		return "admit"
	case StoreReturned:
		return fmt.Sprintf("store given back %v", e.Nos)
	case TakeBack:
		return fmt.Sprintf("take back %d", e.Return.N)
	case LoadPage:
		return fmt.Sprintf("load page of %s from %d", e.Scope.Register, e.From)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "session."))
}

func showMessage(m protocol.Message) string {
	switch m := m.(type) {
	case *protocol.Hello:
		return fmt.Sprintf("hello: acked %d, last %d, cursor %d", m.Acked, m.Last, m.Scopes[0].Cursor)
	case *protocol.Push:
		return fmt.Sprintf("push %d to %d", m.Changesets[0].Dot.Counter, m.Changesets[len(m.Changesets)-1].Last().Counter)
	case *protocol.Known:
		return fmt.Sprintf("known: erasures to %d", m.Erasures)
	case *protocol.Erased:
		return fmt.Sprintf("erased: %d to %d", m.After, m.Through)
	case *protocol.Applied:
		return fmt.Sprintf("applied to %d", m.To)
	case *protocol.Ack:
		return fmt.Sprintf("ack through %d", m.Through)
	case *protocol.Page:
		return fmt.Sprintf("page of %s, %d to %d", m.Stream.Register, m.From, m.To)
	case *protocol.Refusal:
		return fmt.Sprintf("refusal of %d: %v", m.Counter, m.Code)
	case *protocol.Return:
		return fmt.Sprintf("return %d, %d pages", m.N, len(m.Pages))
	case *protocol.Returned:
		return fmt.Sprintf("returned %d", m.N)
	case *protocol.Welcome:
		return fmt.Sprintf("welcome %v", [...]string{"accepted", "rebased", "forked"}[m.Verdict])
	case *protocol.Error:
		return "error " + m.Code.String()
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", m), "*protocol."))
}
