package replica_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts runs the scenarios in testdata. Each file begins with what
// it shows; then come commands, each followed by ---- and what it printed.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newTeller(t).tell(string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("differs; run with -update and look at the change:\n%s", difference(string(text), got))
			}
		})
	}
}

func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			fmt.Fprintf(&b, "%d + %s\n", i+1, g[i])
		case i >= len(g):
			fmt.Fprintf(&b, "%d - %s\n", i+1, w[i])
		case w[i] != g[i]:
			fmt.Fprintf(&b, "%d - %s\n%d + %s\n", i+1, w[i], i+1, g[i])
		}
	}
	return b.String()
}

// teller runs the commands of one transcript.
type teller struct {
	*world
	forms map[string]string // keys by the transcript's names
	names map[conflict.ReplicaID]string
}

func newTeller(t testing.TB) *teller {
	return &teller{world: newWorld(t), forms: map[string]string{}, names: map[conflict.ReplicaID]string{}}
}

func (t *teller) tell(text string) string {
	var out strings.Builder
	blocks := strings.Split(strings.TrimRight(text, "\n"), "\n\n")
	for i, block := range blocks {
		if i > 0 {
			out.WriteString("\n")
		}
		command, _, _ := strings.Cut(block, "\n----")
		if strings.HasPrefix(command, "#") {
			out.WriteString(command + "\n")
			continue
		}
		out.WriteString(command + "\n----\n")
		for line := range strings.SplitSeq(command, "\n") {
			out.WriteString(t.command(line))
		}
	}
	return out.String()
}

// name gives replicas short names, in the order in which they are met.
func (t *teller) name(r conflict.ReplicaID) string {
	if t.names[r] == "" {
		t.names[r] = "R" + fmt.Sprint(len(t.names)+1)
	}
	return t.names[r]
}

func (t *teller) dot(d conflict.Dot) string {
	return fmt.Sprintf("%s-%d", t.name(d.Replica), d.Counter)
}

func (t *teller) vector(v conflict.Vector) string {
	var parts []string
	for d := range v.All() {
		parts = append(parts, t.dot(d))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// find returns the id of the record of that name on a device.
func (t *teller) find(d *dev, name string) string {
	ids, err := d.r.IDs(ctx, "people")
	if err != nil {
		t.t.Fatal(err)
	}
	for _, id := range ids {
		if rec := d.record(id.String()); string(rec.Values["name"]) == name {
			return id.String()
		}
	}
	return ""
}

func (t *teller) command(line string) string {
	words := strings.Fields(line)
	values := map[string]string{}
	var rest []string
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			values[k] = strings.ReplaceAll(v, "_", " ")
		} else {
			rest = append(rest, w)
		}
	}
	arg := func(i int) string {
		if i < len(rest) {
			return rest[i]
		}
		return ""
	}
	fail := func(err error) string {
		if err == nil {
			return ""
		}
		return "error: " + err.Error() + "\n"
	}
	if arg(0) == "device" {
		d := t.device(arg(1), arg(2))
		return fmt.Sprintf("%s is %s\n", arg(1), t.name(d.r.Meta().Replica))
	}
	if arg(0) == "server" {
		return t.serverCommand(rest, values)
	}
	d := t.devices[arg(1)]
	if d == nil {
		return "error: no such device\n"
	}
	id := func() string { return t.find(d, arg(2)) }
	switch arg(0) {
	case "put": // put DEVICE [RECORD] FIELD=VALUE...
		q := replica.PutRequest{Register: "people", Values: values}
		if arg(2) != "" {
			q.Record = id()
		}
		reply, err := d.r.Put(ctx, q)
		if err != nil {
			return fail(err)
		}
		return t.said(reply)
	case "open": // open DEVICE FORM [RECORD]
		record := ""
		if arg(3) != "" {
			record = t.find(d, arg(3))
		}
		f := d.form(record)
		t.forms[arg(2)] = f.Key
		return ""
	case "type": // type DEVICE FORM FIELD=VALUE...
		return fail(d.r.SaveDraft(ctx, t.forms[arg(2)], values))
	case "save": // save DEVICE FORM [submit] FIELD=VALUE...
		reply, err := d.r.Save(ctx, replica.SaveRequest{Key: t.forms[arg(2)], Values: values, Submit: arg(3) == "submit"})
		if err != nil {
			return fail(err)
		}
		return t.said(reply)
	case "delete":
		_, err := d.r.Delete(ctx, id())
		return fail(err)
	case "restore":
		_, err := d.r.Restore(ctx, id())
		return fail(err)
	case "settle": // settle DEVICE RECORD FIELD=VALUE
		for field, v := range values {
			_, err := d.r.Settle(ctx, replica.SettleRequest{ID: id(), Field: field, Value: &v})
			return fail(err)
		}
		return "error: no field\n"
	case "show":
		return t.show(d, id())
	case "list":
		reply, err := d.r.List(ctx, replica.ListRequest{Register: "people", Filter: replica.Filter(arg(2)), Search: values["search"]})
		if err != nil {
			return fail(err)
		}
		text := fmt.Sprintf("%d of %d on the device\n", reply.Have, reply.Of)
		for _, row := range reply.Rows {
			text += fmt.Sprintf("%s: %s\n", row.Title, strings.Join(flagsOf(row), ", "))
		}
		return text
	case "drafts":
		all, err := d.r.Drafts(ctx)
		if err != nil {
			return fail(err)
		}
		text := ""
		for _, f := range all {
			text += fmt.Sprintf("dirty %v:", f.Dirty)
			for _, name := range slices.Sorted(maps.Keys(f.Values)) {
				text += fmt.Sprintf(" %s=%q", name, f.Values[name])
			}
			text += "\n"
		}
		return text
	case "outbox":
		text := ""
		for _, e := range d.outbox() {
			text += t.entry(d, e)
		}
		return text
	case "sync":
		s := d.sync()
		return fmt.Sprintf("synced %v, acknowledged %d of %d\n", s.Synced, s.Acked, s.Last)
	case "cut": // cut DEVICE steps=N: the process ends after N steps of an exchange
		n := 0
		fmt.Sscan(values["steps"], &n)
		l := d.line()
		l.run(n)
		l.hangUp()
		d.open()
		return ""
	case "restart":
		d.open()
		return ""
	case "clone": // clone DEVICE NEW
		d.clone(arg(2))
		return ""
	}
	return "error: no such command\n"
}

func (t *teller) serverCommand(words []string, values map[string]string) string {
	switch words[1] {
	case "quarantine": // server quarantine VALUE: refuses changesets that write this value
		t.server.Refuse = func(c record.Changeset) protocol.Code {
			for _, e := range c.Edits {
				for _, w := range e.Writes {
					if string(w.Value) == values["value"] {
						return protocol.Forbidden
					}
				}
			}
			return protocol.OK
		}
	case "approve", "return":
		for _, id := range t.server.IDs() {
			for k, f := range t.server.Record(id).All() {
				if k == conflict.Key(16) && string(f.At(0).Value) == words[2] {
					if words[1] == "approve" {
						t.server.Approve(id, "supervisor", 1)
						continue
					}
					t.server.Review(id, record.Review{Decision: record.Returned, Question: "q1", Fields: []string{"note"}, Comment: values["comment"], By: "supervisor", At: t.now})
				}
			}
		}
	}
	return ""
}

func (t *teller) said(reply replica.SaveReply) string {
	text := fmt.Sprintf("saved, submitted %v\n", reply.Submitted)
	for _, f := range reply.Findings {
		text += fmt.Sprintf("  %s %s\n", f.Code, f.Field)
	}
	return text
}

func flagsOf(row replica.Row) []string {
	flags := []string{string(row.Place), row.Stage}
	for flag, on := range map[string]bool{"conflict": row.Conflict, "deleted": row.Deleted, "edited and deleted": row.EditedAndDeleted} {
		if on {
			flags = append(flags, flag)
		}
	}
	slices.Sort(flags[2:])
	return flags
}

func (t *teller) show(d *dev, id string) string {
	v, err := d.r.Get(ctx, id)
	if err != nil {
		return "error: no such record\n"
	}
	text := fmt.Sprintf("%s, %s, %s\n", v.Life, v.Place, v.Stage)
	for _, f := range v.Fields {
		if f.Display == "" && len(f.Conflict) == 0 {
			continue
		}
		marks := ""
		if f.Local {
			marks += " local"
		}
		if f.Waiting {
			marks += " waiting"
		}
		text += fmt.Sprintf("  %s: %s%s\n", f.Name, f.Display, marks)
		for _, s := range f.Conflict {
			text += fmt.Sprintf("    or %s, by %s\n", s.Display, s.By)
		}
		if f.Ancestor != nil {
			text += fmt.Sprintf("    was %s\n", f.Ancestor.Display)
		}
	}
	if v.Review != nil {
		text += fmt.Sprintf("  review: %s by %s %s\n", v.Review.Decision, v.Review.By, v.Review.Comment)
	}
	for _, q := range v.Quarantine {
		text += fmt.Sprintf("  quarantine: %s %v\n", q.Code, q.Fields)
	}
	return text
}

func (t *teller) entry(d *dev, e replica.Entry) string {
	state := "pending"
	if e.Received != 0 {
		state = "received"
	}
	if e.Refusal != nil {
		state += " quarantined " + e.Refusal.Code.String()
	}
	text := fmt.Sprintf("%s %s\n", t.dot(e.Changeset.Dot), state)
	for i, edit := range e.Changeset.Edits {
		dot := e.Changeset.FirstDot(i)
		for _, w := range edit.Writes {
			value := string(w.Value)
			switch w.Key.ID {
			case conflict.FieldSubmission:
				s, err := record.ParseSubmission(w.Value)
				if err != nil {
					return "error: " + err.Error() + "\n"
				}
				value = "submission of " + t.vector(s.Covers)
			case conflict.FieldLife:
				value, _, _ = strings.Cut(value, ";")
			}
			text += fmt.Sprintf("  %s record %s field %v over [%s] = %s\n", t.dot(dot), t.dot(edit.Record), w.Key, t.vector(w.Context), value)
			dot.Counter++
		}
	}
	return text
}
