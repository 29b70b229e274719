package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/erasure"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
)

// Finding is one thing that was looked at.
type Finding struct {
	What  string   // what was looked at, and what was seen
	Wrong []string // what is wrong with it; empty if it is sound
	Do    string   // what to do about it
}

// Report is what Examine found, in the order in which it looked.
type Report struct{ Findings []Finding }

// Sound reports whether nothing is wrong.
func (r Report) Sound() bool {
	for _, f := range r.Findings {
		if len(f.Wrong) > 0 {
			return false
		}
	}
	return true
}

// What to do.
const (
	doRestore = "Stop the server, keep the folder as it is, and restore the last backup: wardbook restore -from BACKUP -data DIR. Devices then give back what they hold."
	doTell    = "The data can be read and is not what the program should have left. Keep a copy of the folder, make no repairs by hand, and tell the developers what is written here."
)

// worst is how many faults of one kind are told.
const worst = 20

type examination struct {
	Report
	data string
}

func (x *examination) add(what, do string, wrong []string) {
	if n := len(wrong); n > worst {
		wrong = append(wrong[:worst:worst], fmt.Sprintf("and %d more", n-worst))
	}
	x.Findings = append(x.Findings, Finding{what, wrong, do})
}

// Examine looks at a data folder and changes nothing. A server may run on it: what
// is compared is read in one transaction. It ends early where looking further
// would say nothing. The error is of what kept it from looking.
func Examine(ctx context.Context, data string) (Report, error) {
	x := &examination{data: data}
	err := x.run(ctx)
	return x.Report, err
}

func (x *examination) run(ctx context.Context) error {
	if info, err := os.Stat(x.data); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		x.add("folder", "Check -data.", []string{x.data + " is no folder"})
		return nil
	}
	switch err := Whole(x.data); {
	case errors.Is(err, ErrUnfinished):
		x.add("restore", "Run it again: wardbook restore -from BACKUP -data "+x.data, []string{"it was cut short while files changed places"})
		return nil
	case errors.Is(err, ErrBackup):
		x.add("folder", "Restore it into a data folder, and look at that: wardbook restore -from "+x.data+" -data DIR", []string{"this is a backup; whatever starts on it makes it worthless"})
		return nil
	case err != nil && !errors.Is(err, ErrNoDatabase):
		return err
	}
	x.files()
	text, ok := sqlite.Version()
	var wrong []string
	if !ok {
		wrong = []string{"versions before 3.51.3 can corrupt a write-ahead log"}
	}
	x.add("SQLite "+text, "Use a build of this program with a newer SQLite.", wrong)
	r, err := sqlite.OpenReader(ctx, DatabasePath(x.data))
	if errors.Is(err, fs.ErrNotExist) {
		x.add("database", "Check -data. If the database was here, restore the last backup: wardbook restore -from BACKUP -data "+x.data, []string{"there is none"})
		return nil
	}
	if err != nil {
		x.add("database", doRestore, []string{err.Error()})
		return nil
	}
	defer r.Close()
	damage, err := r.Damage(ctx)
	if err != nil {
		damage = append(damage, err.Error())
	}
	x.add("integrity of the file", doRestore, damage)
	if len(damage) > 0 {
		return nil
	}
	mode, err := r.Pragma(ctx, "journal_mode")
	if err != nil {
		return err
	}
	wrong = nil
	if mode != "wal" {
		wrong = []string{"it is " + mode + ", not wal: no server of ours had it last"}
	}
	x.add("journal mode "+mode, "Start and stop the server once.", wrong)
	has, knows, err := r.Schema(ctx)
	switch {
	case err != nil:
		x.add("schema", "Use the version of the program that served this folder last.", []string{err.Error()})
		return nil
	case has != knows:
		x.add(fmt.Sprintf("schema step %d", has), "Serve the folder once with this program, which brings it up to date; then look again.", []string{fmt.Sprintf("this program is at step %d", knows)})
		return nil
	}
	x.add(fmt.Sprintf("schema step %d", has), "", nil)
	return r.View(ctx, x.content)
}

// files looks at what only its owner may read.
func (x *examination) files() {
	var wrong []string
	for name, mode := range map[string]fs.FileMode{database: 0o600, "keys": 0o700, keysFile: 0o600} {
		info, err := os.Stat(filepath.Join(x.data, name))
		switch {
		case err != nil && name == keysFile:
			wrong = append(wrong, keysFile+" is missing: everybody has to sign in again, and what devices keep for giving back cannot be proved")
		case err == nil && info.Mode().Perm()&^mode != 0:
			wrong = append(wrong, fmt.Sprintf("%s is open to others: its mode is %04o, want %04o", name, info.Mode().Perm(), mode))
		}
	}
	x.add("files and keys", "Close them with chmod; put a saved "+keysFile+" back before serving.", wrong)
}

// content looks at what the tables say, in one transaction.
func (x *examination) content(tx *sqlite.Tx) error {
	l := sqlite.LedgerOf(tx)
	epoch, err := l.Epoch()
	if err != nil {
		return err
	}
	units, err := l.Census()
	if err != nil {
		return err
	}
	var records, changesets int
	behind := 0
	for _, u := range units {
		records, changesets = records+u.Records, changesets+u.Changesets
		p, err := l.BackedUp(u.Unit)
		if err != nil {
			return err
		}
		if p < u.Position {
			behind++
		}
	}
	what := fmt.Sprintf("epoch %x: %d units, %d records, %d changesets; %d units have grown since the last backup", epoch.Token, len(units), records, changesets, behind)
	if epoch.Restored {
		writes, unsealed, err := l.GivenBackCount()
		if err != nil {
			return err
		}
		what += fmt.Sprintf("; restored from a backup, %d writes given back by devices, %d decisions wait for what they approved", writes, unsealed)
	}
	x.add(what, "", nil)
	gaps, err := l.Gaps()
	if err != nil {
		return err
	}
	x.add("counters, feed positions and hub revisions without a gap", doTell, gaps)
	if err := x.erasures(tx, l); err != nil {
		return err
	}
	if err := x.tally(l); err != nil {
		return err
	}
	if err := x.heads(l); err != nil {
		return err
	}
	head, err := audit.Verify(tx)
	var broken *audit.BrokenError
	switch {
	case errors.As(err, &broken):
		x.add("audit log", "Somebody changed the log, or the file is damaged. Keep a copy, compare with the heads that were kept elsewhere, and tell whoever is responsible for data protection.", []string{broken.Error()})
	case err != nil:
		return err
	default:
		x.add(fmt.Sprintf("audit log of %d entries", head.Seq), "", nil)
	}
	return nil
}

// erasures looks whether the list of what was erased by law and the database agree,
// and whether anything of it is left in the folder.
func (x *examination) erasures(tx *sqlite.Tx, l *sqlite.Ledger) error {
	const do = "Stop the server and start it again, which makes them agree. If it will not start, put back the saved copy of the folder keys."
	key, err := auth.ErasedKey(filepath.Join(x.data, keysFolder))
	if err != nil {
		x.add("list of what was erased by law", do, []string{err.Error()})
		return nil
	}
	list, torn, err := erasure.ReadList(filepath.Join(x.data, keysFolder), key)
	if err != nil {
		x.add("list of what was erased by law", do, []string{err.Error()})
		return nil
	}
	wrong, err := erasure.Compare(list, l)
	if err != nil {
		return err
	}
	if torn {
		wrong = append(wrong, "the last line of "+erasure.ListPath(x.data)+" is not whole")
	}
	due, err := tx.RewriteDue()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d records erased by law, in the list and in the database", len(list))
	if due > 0 {
		what += "; the server will write the file anew at night, until then remains of them may stand in it"
	}
	x.add(what, do, wrong)
	if len(list) == 0 {
		return nil
	}
	var kept []string
	if _, err := os.Stat(filepath.Join(x.data, restoring)); err == nil {
		kept = append(kept, restoring+" is what a restore left that was cut short, and may hold what was erased")
	}
	// What a restore put aside is a copy of the time before it.
	last := list[len(list)-1].At
	names, err := filepath.Glob(filepath.Join(x.data, setAside+"*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		made, err := time.Parse(asideTime, strings.TrimPrefix(filepath.Base(name), setAside))
		if err == nil && made.UnixMilli() <= last {
			kept = append(kept, filepath.Base(name)+" is from before the last erasure, and may hold what was erased")
		}
	}
	x.add("databases that a restore left beside", "Delete these folders, once nobody needs them for finding out what happened.", kept)
	return nil
}

// tally asks that every changeset is in exactly one state, by device, ward and
// day.
func (x *examination) tally(l *sqlite.Ledger) error {
	fates, err := l.Fates()
	if err != nil {
		return err
	}
	var wrong []string
	var sum sqlite.Fate
	for _, t := range fates {
		sum.Taken, sum.Applied, sum.Aside = sum.Taken+t.Taken, sum.Applied+t.Applied, sum.Aside+t.Aside
		if t.Both+t.Neither > 0 {
			wrong = append(wrong, fmt.Sprintf("replica %v, unit %s, %s: of %d changesets %d were applied and %d are in quarantine, %d are both and %d neither",
				t.Replica, t.Unit, t.Day, t.Taken, t.Applied, t.Aside, t.Both, t.Neither))
		}
	}
	byLaw, err := l.Blanked()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("conservation: %d changesets taken, %d applied, %d in quarantine, in %d sums by device, ward and day", sum.Taken, sum.Applied, sum.Aside, len(fates))
	if byLaw > 0 {
		what += fmt.Sprintf("; of those applied %d touch what was erased by law", byLaw)
	}
	x.add(what, doTell, wrong)
	return nil
}

// heads rebuilds every record from its history and compares, and reads every
// approved version back.
func (x *examination) heads(l *sqlite.Ledger) error {
	var wrong, unread []string
	records, versions, moved := 0, 0, 0
	for after := (conflict.RecordID{}); ; {
		rows, err := l.RecordsAfter(after, 500)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for i := range rows {
			row := &rows[i]
			after = row.ID
			records++
			why, home, err := compare(l, row)
			if err != nil {
				return err
			}
			if home {
				moved++
			}
			if why != "" {
				wrong = append(wrong, fmt.Sprintf("record %v of unit %s: %s", row.ID, row.Unit, why))
			}
			decisions, err := l.Approvals(row.ID)
			if err != nil {
				return err
			}
			for _, a := range decisions {
				versions++
				if _, err := review.Materialise(l, a); err != nil {
					unread = append(unread, err.Error())
				}
			}
		}
	}
	x.add(fmt.Sprintf("%d records rebuilt from their history", records), doTell, wrong)
	erased, err := l.LastErasure()
	if err != nil {
		return err
	}
	// A changeset that moved something may have taken a position in several units, an
	// erasure takes one without a changeset, and what comes of erased records takes none.
	if moved == 0 && erased == 0 {
		uneven, err := l.Uneven()
		if err != nil {
			return err
		}
		x.add("as many feed positions as changesets", doTell, uneven)
	}
	x.add(fmt.Sprintf("%d decisions read back from the history", versions), doTell, unread)
	return nil
}

// ofErased reports whether c touches a record that was erased by law, so that it is
// blanked and its bytes are not what was hashed.
func ofErased(l *sqlite.Ledger, c *record.Changeset) (bool, error) {
	for i := range c.Edits {
		if is, err := l.Erased(c.Edits[i].Record); err != nil || is {
			return is, err
		}
	}
	return false, nil
}

// compare says how the head of row differs from what its history makes, "" if
// it does not, and whether somebody once asked for another home of it.
func compare(l *sqlite.Ledger, row *ledger.Row) (why string, home bool, err error) {
	head, _, err := record.ParseState(row.State, row.ID)
	if err != nil {
		return err.Error(), true, nil
	}
	home = !head.Field(conflict.Key(conflict.FieldHome)).IsZero()
	changesets, err := l.Changesets(row.ID)
	if err != nil {
		return "", home, err
	}
	var made conflict.Record
	for _, in := range changesets {
		c, err := record.ParseOwn(in.Bytes)
		if err != nil {
			return "its history cannot be read: " + err.Error(), home, nil
		}
		blanked, err := ofErased(l, &c)
		if err != nil {
			return "", home, err
		}
		if !blanked && record.HashOf(in.Bytes) != in.Hash {
			return fmt.Sprintf("changeset %v is not the one that was stored", c.Dot), home, nil
		}
		for i := range c.Edits {
			if c.Edits[i].Record == row.ID {
				made = ledger.Stamp(c.Apply(made, i, in.Received), c, i, in.Received)
			}
		}
	}
	if made.Equal(head) {
		return "", home, nil
	}
	var fields []string
	for k, f := range head.All() {
		if !made.Field(k).Equal(f) {
			fields = append(fields, k.String())
		}
	}
	for k := range made.All() {
		if head.Field(k).IsZero() {
			fields = append(fields, k.String())
		}
	}
	return "its head is not what its history says in field " + strings.Join(fields, ", "), home, nil
}
