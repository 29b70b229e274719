package replica_test

import (
	"slices"
	"testing"

	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// What was received and held back, and lost with the server, is handed in again
// though the store has given up the replica id that it was received under: before
// it met the restored server, or when it does.
func TestHeldBackIsHandedInAgain(t *testing.T) {
	for _, c := range []struct {
		name     string
		former   bool // another copy of the store went on with the id before the server was lost
		inBackup bool
		want     int // how often the server then holds it
	}{
		{"the id is given up when the restored server is met", false, false, 1},
		{"the same, and the server has it", false, true, 1},
		{"the id was given up before the server was lost", true, false, 1},
		{"the same, and the server has it after all", true, true, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.device("a", "officer.a")
			id := a.put("", map[string]string{"name": "Hoa", "note": "gốc"})
			a.mustSync()
			older := a.clone("older") // it will use the dots for something else
			older.put(id, map[string]string{"level": "3"})
			backup := w.server.Restored(2)
			at := map[record.Hash]bool{} // where it is held back
			w.server.Refuse = func(c record.Changeset) protocol.Code {
				for _, x := range c.Edits[0].Writes {
					if x.Value == "bị giữ" {
						at[c.Hash()] = true
						return protocol.Forbidden
					}
				}
				return protocol.OK
			}
			backup.Refuse = w.server.Refuse
			a.put(id, map[string]string{"note": "bị giữ"})
			a.mustSync()
			if s, _ := a.r.Status(ctx); s.Quarantined != 1 || len(at) != 1 {
				t.Fatalf("before: %d held back here, %d at the server; want one", s.Quarantined, len(at))
			}
			if c.inBackup {
				backup = w.server.Restored(2)
			} else {
				clear(at)
			}
			before := a.r.Meta().Replica
			if !c.former {
				w.server = backup
			}
			other := older
			if c.former || c.inBackup {
				other = a.clone("other")
			}
			other.mustSync()
			w.order = slices.DeleteFunc(w.order, func(name string) bool { return name != "a" })
			a.mustSync()
			if a.r.Meta().Replica == before {
				t.Fatal("the store kept its replica id")
			}
			if c.former {
				w.server = backup
				a.mustSync()
			}
			if len(at) != c.want {
				t.Errorf("it was handed in %d times, want %d", len(at), c.want)
			}
			if s, _ := a.r.Status(ctx); !s.Synced || s.Quarantined != 1 {
				t.Errorf("got %+v; want synced, and one held back", s)
			}
			if err := w.stands(); err != nil {
				t.Error(err)
			}
			a.open()
			a.mustSync()
			if len(at) != c.want {
				t.Errorf("later on it was handed in again: %d times", len(at))
			}
		})
	}
}
