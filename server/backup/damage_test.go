package backup

import (
	"database/sql"
	"errors"
	"testing"
)

// damage runs statements on a data folder's database that no program of ours
// would run.
func damage(t *testing.T, dir, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite3", DatabasePath(dir)) // the driver comes with our store
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec(statements)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
