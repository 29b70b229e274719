package bridge

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/sync/register"
)

// contract is web/src/bridge.ts, read.
type contract struct {
	interfaces map[string][]member
	calls      []string
	events     []string
}

type member struct {
	name     string
	optional bool
}

func readContract(t *testing.T) contract {
	t.Helper()
	b, err := os.ReadFile("../../web/src/bridge.ts")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)//.*$|/\*\*[\s\S]*?\*/`).ReplaceAllString(string(b), "")
	c := contract{interfaces: map[string][]member{}}
	for _, m := range regexp.MustCompile(`export interface (\w+) \{`).FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		c.interfaces[name] = members(block(t, text[m[1]:]))
	}
	for _, m := range c.interfaces["Calls"] {
		c.calls = append(c.calls, m.name)
	}
	for _, m := range c.interfaces["Events"] {
		c.events = append(c.events, m.name)
	}
	if len(c.calls) < 20 || len(c.events) < 4 || len(c.interfaces["RecordView"]) < 10 {
		t.Fatalf("bridge.ts was not understood: %d calls, %d events", len(c.calls), len(c.events))
	}
	return c
}

// block returns text up to the brace that closes it.
func block(t *testing.T, text string) string {
	t.Helper()
	depth := 1
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i]
			}
		}
	}
	t.Fatal("bridge.ts: a brace is not closed")
	return ""
}

// members lists the names of an interface's own members.
func members(body string) []member {
	var out []member
	depth, start := 0, 0
	name := regexp.MustCompile(`^\s*(\w+)(\?)?\s*[:(]`)
	take := func(part string) {
		if m := name.FindStringSubmatch(part); m != nil {
			out = append(out, member{m[1], m[2] == "?"})
		}
	}
	for i, r := range body {
		switch r {
		case '{', '(', '<', '[':
			depth++
		case '}', ')', '>', ']':
			depth--
		case ';', '\n':
			if depth == 0 {
				take(body[start:i])
				start = i + 1
			}
		}
	}
	take(body[start:])
	return out
}

// elsewhere are calls and events of the contract that are not the module's:
// the worker answers boot before the module runs, password, openers and handIn beside
// it, and tells of a store that has vanished, of a device that was shut out, and of what
// it loads; the page itself learns of updates from its service worker.
var elsewhere = []string{"boot", "password", "openers", "addOpener", "removeOpener", "handIn", "update", "vanished", "closed", "loading"}

func TestEveryCallIsAnswered(t *testing.T) {
	c := readContract(t)
	for _, name := range c.calls {
		if _, ok := calls[name]; ok == slices.Contains(elsewhere, name) {
			t.Errorf("call %s: answered here is %v", name, ok)
		}
	}
	for name := range calls {
		if !slices.Contains(c.calls, name) {
			t.Errorf("call %s is not in bridge.ts", name)
		}
	}
}

func TestEveryEventIsSent(t *testing.T) {
	c := readContract(t)
	sent := map[string]bool{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	emits := regexp.MustCompile(`(?:\bemit|\.Emit)\("(\w+)"`)
	for _, f := range files {
		if f.IsDir() || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range emits.FindAllStringSubmatch(string(text), -1) {
			sent[m[1]] = true
		}
	}
	for _, name := range c.events {
		if sent[name] == slices.Contains(elsewhere, name) {
			t.Errorf("event %s: sent here is %v", name, sent[name])
		}
		delete(sent, name)
	}
	for name := range sent {
		t.Errorf("event %s is not in bridge.ts", name)
	}
}

// TestShapes compares each struct with the interface of the contract: the same
// names, and omitted exactly where the page expects that.
func TestShapes(t *testing.T) {
	c := readContract(t)
	for name, v := range map[string]any{
		"Failure": Failure{}, "Account": replica.Account{}, "Session": Session{}, "ScopeView": replica.ScopeView{}, "DeviceView": DeviceView{}, "CardReply": replica.CardReply{}, "ChooseRequest": chooseRequest{}, "Person": Person{}, "Row": replica.Row{}, "Hit": register.Hit{}, "ListRequest": replica.ListRequest{},
		"ListReply": replica.ListReply{}, "Sibling": replica.Sibling{}, "FieldView": replica.FieldView{}, "Finding": register.Finding{},
		"RecordView": replica.RecordView{}, "Form": replica.Form{}, "SaveRequest": replica.SaveRequest{}, "SaveReply": replica.SaveReply{},
		"StreamStatus": replica.StreamStatus{}, "Damaged": replica.Damaged{}, "Status": replica.Status{}, "Told": toldReply{},
	} {
		want := c.interfaces[name]
		if want == nil {
			t.Errorf("bridge.ts has no interface %s", name)
			continue
		}
		var got []member
		for f := range fieldsOf(reflect.TypeOf(v)) {
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			got = append(got, member{tag, strings.Contains(options, "omit")})
		}
		less := func(a, b member) int { return strings.Compare(a.name, b.name) }
		want = slices.SortedFunc(slices.Values(want), less)
		slices.SortFunc(got, less)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func (m member) String() string {
	if m.optional {
		return m.name + "?"
	}
	return m.name
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// TestDefinitionHoldsWhatThePageReads allows more members than the contract
// names: the page's definition.ts reads them.
func TestDefinitionHoldsWhatThePageReads(t *testing.T) {
	c := readContract(t)
	has := func(v any) map[string]bool {
		names := map[string]bool{}
		var add func(reflect.Type)
		add = func(t reflect.Type) {
			for f := range fieldsOf(t) {
				if f.Anonymous {
					add(f.Type.Elem())
					continue
				}
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				names[name] = true
			}
		}
		add(reflect.TypeOf(v))
		return names
	}
	for name, v := range map[string]any{"Definition": Definition{}, "FieldDef": register.Field{}, "Text": register.Text{}} {
		got := has(v)
		for _, m := range c.interfaces[name] {
			if !got[m.name] {
				t.Errorf("%s has no %s", name, m.name)
			}
		}
		if len(c.interfaces[name]) == 0 {
			t.Errorf("bridge.ts has no interface %s", name)
		}
	}
}
