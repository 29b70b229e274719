package driver

import (
	"context"
	"fmt"
	"syscall/js"
)

// A Mirror is a second copy of acknowledged changesets, in IndexedDB, for the first five minutes of a store's life.
//
// A browser may not yet have flushed the names of files that it has just made: a power cut in the first minute takes
// them whole, whatever was flushed into them. While the store is young, a save is therefore acknowledged after its
// commit and its Put. After opening the store, its owner reads All and applies what the store does not know, which
// after such a cut is everything. Entries are encrypted under a key derived from the store's.
type Mirror struct{ object js.Value }

// An Entry is what Put was given. The key is the caller's, by custom a changeset's id.
type Entry struct {
	Key   string
	Bytes []byte
}

// OpenMirror opens the mirror of a store that has been opened with the same Config. The order matters: a store
// that had to be made anew begins a new youth.
func OpenMirror(_ context.Context, c Config) (*Mirror, error) {
	c, err := c.validate()
	if err != nil {
		return nil, err
	}
	s, err := loadShim()
	if err != nil {
		return nil, err
	}
	key := bytesToJS(c.Key)
	defer key.Call("fill", 0)
	object, err := await(s.object.Call("mirror", c.Store, key))
	if err != nil {
		return nil, fmt.Errorf("open mirror: %w", err)
	}
	return &Mirror{object}, nil
}

// Put keeps b under a key and returns when it is on the disk. Once the store is old it returns at once and keeps
// nothing. Putting the same key again replaces its bytes.
func (m *Mirror) Put(_ context.Context, key string, b []byte) error {
	_, err := await(m.object.Call("put", key, bytesToJS(b)))
	return err
}

// All returns what is kept, in the order of the keys. ErrWrongKey says that an entry was made under another key.
func (m *Mirror) All(context.Context) ([]Entry, error) {
	list, err := await(m.object.Call("all"))
	if err != nil {
		return nil, err
	}
	out := make([]Entry, list.Length())
	for i := range out {
		pair := list.Index(i)
		content := pair.Index(1)
		out[i] = Entry{Key: pair.Index(0).String(), Bytes: make([]byte, content.Length())}
		js.CopyBytesToGo(out[i].Bytes, content)
	}
	return out, nil
}

// Trim empties the mirror if the store is old enough to do without it, and tells whether it is. Call it after All
// has been applied, and now and then until it says true.
func (m *Mirror) Trim(context.Context) (bool, error) {
	old, err := await(m.object.Call("trim"))
	if err != nil {
		return false, err
	}
	return old.Bool(), nil
}

// Close lets go of the mirror; what it holds stays.
func (m *Mirror) Close() { m.object.Call("close") }

func bytesToJS(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}
