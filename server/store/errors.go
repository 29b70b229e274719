package store

import "errors"

// Errors that callers branch on. Engines wrap them with what was being done.
var (
	// ErrNotFound means that no such row exists.
	ErrNotFound = errors.New("not found")
	// ErrExists means that a unique name or id is taken.
	ErrExists = errors.New("already exists")
	// ErrClosed means that the store was closed before the work was accepted.
	ErrClosed = errors.New("store is closed")
	// ErrFailed means that an earlier commit failed, so that the store accepts
	// nothing any more. What was not acknowledged may or may not be on disk;
	// only a restart may find out. It is never retried.
	ErrFailed = errors.New("store has failed")
	// ErrFull means that the disk is full. Nothing of the work was kept; the
	// same work may succeed once there is room.
	ErrFull = errors.New("disk is full")
	// ErrRolledBack means that the engine took back the whole transaction, this
	// caller's part included, for a cause outside the caller's own work.
	ErrRolledBack = errors.New("transaction was rolled back")
)
