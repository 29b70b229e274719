package driver

import (
	"errors"
	"fmt"
)

// Why a store cannot be opened, or a statement not run, where the caller has something to decide.
var (
	// ErrNoOPFS: this browser, or its private mode, has no file system with access handles. Work online.
	ErrNoOPFS = errors.New("no private file system in this browser")
	// ErrHeld: another tab or worker has the store open, or this one opened it twice. Ask the other, or wait.
	ErrHeld = errors.New("store is open elsewhere")
	// ErrQuota: no room is left. The transaction is undone and the store stays readable.
	ErrQuota = errors.New("no room left for the store")
	// ErrWrongKey: the store was made with another key. Nothing was read or changed.
	ErrWrongKey = errors.New("wrong key")
	// ErrCorrupted: the key is right and the content is damaged.
	ErrCorrupted = errors.New("store is damaged")
	// ErrConstraint: a row breaks a constraint of the schema; the statement is undone.
	ErrConstraint = errors.New("constraint broken")
	// ErrUnique: the constraint is a unique index or a primary key. Such errors are ErrConstraint too.
	ErrUnique = errors.New("unique constraint broken")
	// ErrForeignKey: the constraint is a foreign key. Such errors are ErrConstraint too.
	ErrForeignKey = errors.New("foreign key broken")
)

// An Error is what SQLite answered. It matches, by errors.Is, the named error of its code.
type Error struct {
	Code    int // extended result code of SQLite, https://sqlite.org/rescode.html
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.Message, e.Code) }

// Is makes the named errors match.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrConstraint:
		return e.Code&0xff == 19
	case ErrUnique:
		return e.Code == 2067 || e.Code == 1555 || e.Code == 2579 // unique, primary key, rowid
	case ErrForeignKey:
		return e.Code == 787
	case ErrQuota:
		return e.Code&0xff == 13
	case ErrCorrupted:
		return e.Code&0xff == 11 || e.Code&0xff == 26
	}
	return false
}
