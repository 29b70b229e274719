package driver

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"syscall/js"
	"testing"
	"time"
)

// The two halves of web/e2e/powercut.mjs, which cuts the power between them. WARDBOOK_POWERCUT chooses one;
// without it there is no power to cut and nothing to test here.

const powercutStore = "powercut"

func powercutConfig() Config {
	synchronous := os.Getenv("WARDBOOK_POWERCUT_SYNCHRONOUS")
	return Config{Store: powercutStore, Key: []byte(strings.Repeat("k", KeySize)), Synchronous: synchronous}
}

func powercutPart(t *testing.T, part string) {
	if os.Getenv("WARDBOOK_POWERCUT") != part {
		t.Skip("web/e2e/powercut.mjs runs this")
	}
}

func tell(format string, args ...any) { js.Global().Call("__tell", fmt.Sprintf(format, args...)) }

func openPowercut(t *testing.T) (*sql.DB, *Mirror) {
	t.Helper()
	db, err := Open(t.Context(), powercutConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS saved (id TEXT PRIMARY KEY, content TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	m, err := OpenMirror(t.Context(), powercutConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return db, m
}

// TestPowercutPrepare makes the store and closes it.
func TestPowercutPrepare(t *testing.T) {
	powercutPart(t, "prepare")
	openPowercut(t)
}

// TestPowercutWrite saves WARDBOOK_POWERCUT_SAVES records, telling of each when it is acknowledged, then waits for the
// cut. With WARDBOOK_POWERCUT_MIRROR an acknowledgement waits for the mirror too.
func TestPowercutWrite(t *testing.T) {
	powercutPart(t, "write")
	db, m := openPowercut(t)
	var saves int
	if _, err := fmt.Sscan(os.Getenv("WARDBOOK_POWERCUT_SAVES"), &saves); err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("x", 290)
	for i := range saves {
		id := fmt.Sprintf("r-%06d", i)
		if _, err := db.Exec("INSERT INTO saved VALUES (?, ?)", id, content); err != nil {
			t.Fatal(err)
		}
		if os.Getenv("WARDBOOK_POWERCUT_MIRROR") != "" {
			if err := m.Put(context.Background(), id, []byte(content)); err != nil {
				t.Fatal(err)
			}
		}
		tell("saved %d", i+1)
	}
	time.Sleep(time.Hour)
}

// TestPowercutCount opens what is left, applies the mirror, and tells how many records there are.
func TestPowercutCount(t *testing.T) {
	powercutPart(t, "count")
	db, m := openPowercut(t)
	stored := count(t, db, "saved")
	entries, err := m.All(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		exec(t, db, "INSERT OR IGNORE INTO saved VALUES (?, ?)", e.Key, string(e.Bytes))
	}
	var damaged int
	if err := db.QueryRow("SELECT count(*) FROM saved WHERE length(content) <> 290").Scan(&damaged); err != nil || damaged != 0 {
		t.Errorf("got %d damaged records, %v, want 0", damaged, err)
	}
	var check string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity: got %q, %v, want ok", check, err)
	}
	tell("stored %d, with the mirror %d", stored, count(t, db, "saved"))
}
