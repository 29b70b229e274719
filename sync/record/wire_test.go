package record_test

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

func write(id conflict.FieldID, v conflict.Value, context ...conflict.Dot) record.Write {
	return record.Write{Key: conflict.Key(id), Value: v, Context: conflict.NewVector(context...)}
}

// created is the changeset that most goldens start from.
func created() record.Changeset {
	return record.Changeset{Dot: dot(1, 21), Unit: "26734", Author: "officer.a", At: testAt, Edits: []record.Edit{{
		Record: dot(1, 21), Register: "residents", Definition: 1,
		Writes: []record.Write{write(16, "Nguyễn Văn An"), write(17, "1987-05"), write(18, ""), write(20, "0901234567")}}}}
}

func goldenChangesets() map[string]record.Changeset {
	edited := record.Changeset{Dot: dot(2, 300), Unit: "26734", Author: "officer.b", At: -1, Edits: []record.Edit{
		{Record: dot(1, 21), Register: "residents", Definition: 2, Source: conflict.Card,
			Writes: []record.Write{write(16, "Nguyễn Văn Ân", dot(1, 21), dot(2, 250)), write(17, "1987-05-01", dot(1, 22))}},
		{Record: dot(2, 100), Register: "households", Definition: 1,
			Writes: []record.Write{write(16, "x", dot(3, 9)), write(17, "y", dot(3, 9))}},
		{Record: dot(2, 304), Register: "residents", Definition: 2, Writes: []record.Write{
			{Key: conflict.FieldKey{ID: 30, Elem: "pupil"}, Value: "1"},
			{Key: conflict.FieldKey{ID: 30, Elem: "worker"}, Value: ""}}}}}
	return map[string]record.Changeset{"changeset_create": created(), "changeset_edit": edited}
}

type state struct {
	record conflict.Record
	id     conflict.RecordID
	pos    []uint64
}

func goldenStates() map[string]state {
	c := created()
	first := c.Apply(conflict.Record{}, 0, testAt+1500)
	settled := record.Changeset{Dot: dot(2, 300), Author: "officer.b", At: testAt + 5000, Edits: []record.Edit{{Record: c.Dot, Definition: 1,
		Writes: []record.Write{write(17, "1987-05-01", dot(1, 22))}}}}.Apply(first, 0, testAt+6000)
	conflicted := record.Changeset{Dot: dot(3, 1), Author: "officer.c", At: testAt + 4000, Edits: []record.Edit{{Record: c.Dot, Definition: 1,
		Writes: []record.Write{write(17, "1978-05-01", dot(1, 22))}}}}.Apply(settled, 0, testAt+9000)
	return map[string]state{
		"state_device":   {first, c.Dot, []uint64{0, 0, 0, 0}},
		"state_settled":  {settled, c.Dot, []uint64{7, 9, 7, 7}},
		"state_conflict": {conflicted, c.Dot, []uint64{7, 12, 7, 7}},
		"state_empty":    {conflict.Record{}, c.Dot, []uint64{}},
	}
}

func dumpChangeset(c record.Changeset) string {
	var b strings.Builder
	fmt.Fprintf(&b, "changeset %v unit %s author %s at %d\n", c.Dot, c.Unit, c.Author, c.At)
	for _, e := range c.Edits {
		fmt.Fprintf(&b, "  record %v register %s definition %d source %d\n", e.Record, e.Register, e.Definition, e.Source)
		for _, w := range e.Writes {
			fmt.Fprintf(&b, "    %v = %q over [%v]\n", w.Key, w.Value, w.Context)
		}
	}
	return b.String()
}

func dumpState(s state) string {
	var b strings.Builder
	fmt.Fprintf(&b, "record %v\n", s.id)
	i := 0
	for k, f := range s.record.All() {
		fmt.Fprintf(&b, "  %v at position %d under [%v]\n", k, s.pos[i], f.Vector())
		for _, s := range f.Siblings() {
			fmt.Fprintf(&b, "    %v = %q by %s at %d received %d definition %d source %d\n",
				s.Dot, s.Value, s.Origin.Author, s.Origin.At, s.Origin.Received, s.Origin.Definition, s.Origin.Source)
		}
		i++
	}
	return b.String()
}

// golden compares bytes and their dump with testdata, which -update rewrites.
func golden(t *testing.T, name string, b []byte, dump string) {
	t.Helper()
	text := hexLines(b)
	for file, got := range map[string]string{name + ".golden": text, name + ".txt": dump} {
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", file, got, want)
		}
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

// readGolden returns the bytes of all golden files whose names start so.
func readGolden(t testing.TB, prefix string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", prefix+"*.golden"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("the seed corpus testdata/%s*.golden is empty: %v", prefix, err)
	}
	var all [][]byte
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		all = append(all, b)
	}
	return all
}

func TestGoldenChangesets(t *testing.T) {
	for name, c := range goldenChangesets() {
		t.Run(name, func(t *testing.T) {
			b := record.AppendChangeset(nil, c)
			got, err := record.ParseChangeset(b)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, b, dumpChangeset(got))
		})
	}
}

func TestGoldenStates(t *testing.T) {
	for name, s := range goldenStates() {
		t.Run(name, func(t *testing.T) {
			b := record.AppendState(nil, s.record, s.id, s.pos)
			r, pos, err := record.ParseState(b, s.id)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, b, dumpState(state{r, s.id, pos}))
		})
	}
}

func FuzzParseChangeset(f *testing.F) {
	for _, b := range readGolden(f, "changeset") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := record.ParseChangeset(b)
		if err != nil {
			return
		}
		if again := record.AppendChangeset(nil, c); !bytes.Equal(again, b) {
			t.Errorf("accepted %x, but it is written %x", b, again)
		}
	})
}

func FuzzParseState(f *testing.F) {
	for _, b := range readGolden(f, "state") {
		f.Add(b)
	}
	id := created().Dot
	names := record.NewNames([]conflict.ReplicaID{replica(1), replica(2)}, []string{"officer.a"})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, pos, err := record.ParseState(b, id); err == nil {
			if again := record.AppendState(nil, r, id, pos); !bytes.Equal(again, b) {
				t.Errorf("accepted %x, but it is written %x", b, again)
			}
		}
		// With names only what was read must survive: a name may have come
		// since, and then its number is written in place of its bytes.
		if r, pos, err := names.ParseState(b, id); err == nil {
			again := names.AppendState(nil, r, id, pos)
			r2, pos2, err := names.ParseState(again, id)
			if err != nil || !r2.Equal(r) || fmt.Sprint(pos) != fmt.Sprint(pos2) {
				t.Errorf("accepted %x, written %x, which is another record: %v", b, again, err)
			}
		}
	})
}

func FuzzParseDotSet(f *testing.F) {
	for _, s := range []string{"", dot(1, 1).String(), record.NewDotSet(dot(1, 1), dot(1, 2), dot(1, 9), dot(2, 5)).String()} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := record.ParseDotSet(text)
		if err == nil && s.String() != text {
			t.Errorf("accepted %q, but it is written %q", text, s)
		}
	})
}

// FuzzParseReview asks less than identity: the text is JSON, which has many
// forms, but what was read once is written in one form from then on.
func FuzzParseReview(f *testing.F) {
	v := record.Review{Decision: record.Returned, Dots: record.NewDotSet(dot(1, 1), dot(1, 2)), Question: "q1",
		Fields: []string{"name"}, Comment: "xem lại", By: "supervisor", At: testAt}
	f.Add(string(v.Value()))
	f.Add(string(record.Review{}.Value()))
	f.Fuzz(func(t *testing.T, text string) {
		v, err := record.ParseReview(conflict.Value(text))
		if err != nil {
			return
		}
		once := v.Value()
		again, err := record.ParseReview(once)
		if err != nil || again.Value() != once {
			t.Errorf("read %q, wrote %q, then %q: %v", text, once, again.Value(), err)
		}
	})
}

func FuzzParseSubmission(f *testing.F) {
	v := record.Submission{Covers: conflict.NewVector(dot(1, 4), dot(2, 9)), Reasons: map[string]string{"16 W12": "đã đối chiếu"}}
	f.Add(string(v.Value()))
	f.Add(string(record.Submission{}.Value()))
	f.Fuzz(func(t *testing.T, text string) {
		v, err := record.ParseSubmission(conflict.Value(text))
		if err != nil {
			return
		}
		once := v.Value()
		again, err := record.ParseSubmission(once)
		if err != nil || again.Value() != once {
			t.Errorf("read %q, wrote %q, then %q: %v", text, once, again.Value(), err)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(string(record.Answer{Question: "q1", Text: "đã sửa"}.Value()))
	f.Add("")
	f.Add(`{"question":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := record.ParseAnswer(conflict.Value(text))
		if err != nil {
			return
		}
		once := v.Value()
		again, err := record.ParseAnswer(once)
		if err != nil || again != v {
			t.Errorf("read %q, wrote %q, then %+v: %v", text, once, again, err)
		}
	})
}

func FuzzParseHome(f *testing.F) {
	f.Add(string(record.Home{Unit: "27169", From: "26734", Reason: "chuyển hộ khẩu"}.Value()))
	f.Add(`{"unit":""}`)
	f.Add(`{"unit":"\ud800","reason":"<b>"}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := record.ParseHome(conflict.Value(text))
		if err != nil {
			return
		}
		once := v.Value()
		again, err := record.ParseHome(once)
		if err != nil || again != v {
			t.Errorf("read %q, wrote %q, then %+v: %v", text, once, again, err)
		}
	})
}
