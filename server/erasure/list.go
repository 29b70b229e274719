package erasure

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"wardbook/conflict"
)

// listFile is the list's name in the folder of the keys, which is in no backup.
const listFile = "erased"

// ListPath is where a data folder keeps the list.
func ListPath(data string) string { return filepath.Join(data, "keys", listFile) }

// Entry is one line of the list.
type Entry struct {
	Number   uint64 // rising
	Record   conflict.RecordID
	Register string
	Unit     string
	At       int64  // server clock, Unix milliseconds
	Request  string // id of the request
	Ground   string
	AskedBy  string // account names
	By       string // who confirmed
}

// content is an entry at rest. Names are stored; never changed.
type content struct {
	Record   string `json:"record"`
	Register string `json:"register"`
	Unit     string `json:"unit"`
	At       int64  `json:"at"`
	Request  string `json:"request"`
	Ground   string `json:"ground"`
	AskedBy  string `json:"asked_by"`
	By       string `json:"by"`
}

// kindErased is the only kind of line so far. Stored.
const kindErased = "erased"

// ErrList means that the list cannot be read, or does not fit the database: nothing
// may be served before somebody has looked.
var ErrList = errors.New("the list of what was erased by law cannot be trusted")

// List is the append-only list of what was erased by law, outside of the database
// and of its backups: what a restored backup has to forget again.
//
// Each line is "NUMBER KIND SEALED": the entry under AES-256-GCM and a key of its
// own in keys.json, with the number, the kind, and the hash of the line before as
// additional data, so that no line can be changed, moved, or taken out of the midst.
// It is sealed, not hashed: what is erased has to be found in a restored database,
// and told to devices. A line is flushed before Append returns. Its methods may be
// called from any goroutine.
type List struct {
	path   string
	seal   cipher.AEAD
	random io.Reader

	mu      sync.Mutex
	file    *os.File
	size    int64
	last    [sha256.Size]byte // hash of the last line
	entries []Entry
	broken  error // why nothing may be appended any more
}

// OpenList opens the list in the folder dir of the keys, making it if it is absent.
// A last line that is not whole was never durable, and is cut off; any other damage
// is an error that wraps ErrList.
func OpenList(dir string, key []byte, random io.Reader) (_ *List, err error) {
	l := &List{path: filepath.Join(dir, listFile), random: random}
	if l.seal, err = sealer(key); err != nil {
		return nil, err
	}
	if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open list of erasures: %w", err)
	}
	defer func() {
		if err != nil {
			l.file.Close()
		}
	}()
	info, err := l.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open list of erasures: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open list of erasures: file %s is open to others (mode %04o, want 0600)", l.path, info.Mode().Perm())
	}
	if err := syncFolder(dir); err != nil {
		return nil, fmt.Errorf("open list of erasures: %w", err)
	}
	if err := l.read(l.file); err != nil {
		return nil, err
	}
	if l.size < info.Size() {
		if err := errors.Join(l.file.Truncate(l.size), l.file.Sync()); err != nil {
			return nil, fmt.Errorf("open list of erasures: %w", err)
		}
	}
	return l, nil
}

// ReadList reads the list of the folder dir of the keys, and changes nothing. torn
// says that its last line is not whole. Without a list there are no entries.
func ReadList(dir string, key []byte) (entries []Entry, torn bool, err error) {
	l := &List{path: filepath.Join(dir, listFile)}
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read list of erasures: %w", err)
	}
	defer f.Close()
	if len(key) == 0 {
		return nil, false, l.damaged(0, "keys.json has no key for it")
	}
	if l.seal, err = sealer(key); err != nil {
		return nil, false, err
	}
	if err := l.read(f); err != nil {
		return nil, false, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("read list of erasures: %w", err)
	}
	return l.entries, info.Size() > l.size, nil
}

func sealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of the list of erasures: %w", err)
	}
	return cipher.NewGCM(block)
}

// read takes the lines of r, up to one that is not whole.
func (l *List) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read list of erasures: %w", err)
		}
		e, why := l.open(bytes.TrimSuffix(line, []byte("\n")))
		if why != "" {
			return l.damaged(n, why)
		}
		l.take(e, line)
	}
}

func (l *List) take(e Entry, line []byte) {
	l.entries = append(l.entries, e)
	l.last = sha256.Sum256(line)
	l.size += int64(len(line))
}

func (l *List) damaged(line int, why string) error {
	return fmt.Errorf("%w: %s, line %d: %s. Put back the saved copy of the folder keys, this file and keys.json together; without the list, what was erased comes back with any backup", ErrList, l.path, line, why)
}

func (l *List) bound(head string) []byte {
	return slices.Concat([]byte("wardbook list of erasures\n"), l.last[:], []byte(head))
}

// open reads a line; why is what is wrong with it.
func (l *List) open(line []byte) (e Entry, why string) {
	parts := strings.Split(string(line), " ")
	if len(parts) != 3 || parts[1] != kindErased {
		return e, "it is no line of the list"
	}
	number, err := strconv.ParseUint(parts[0], 10, 63)
	if err != nil || number <= l.number() {
		return e, "its number does not follow the one before"
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(raw) < l.seal.NonceSize() {
		return e, "it is damaged"
	}
	text, err := l.seal.Open(nil, raw[:l.seal.NonceSize()], raw[l.seal.NonceSize():], l.bound(parts[0]+" "+parts[1]))
	if err != nil {
		return e, "it was changed, or sealed under the key of another keys.json"
	}
	var c content
	if err := json.Unmarshal(text, &c); err != nil {
		return e, "its content cannot be read"
	}
	e = Entry{Number: number, Register: c.Register, Unit: c.Unit, At: c.At, Request: c.Request, Ground: c.Ground, AskedBy: c.AskedBy, By: c.By}
	if e.Record, err = conflict.ParseDot(c.Record); err != nil {
		return e, "it names no record"
	}
	return e, ""
}

// number is that of the last line, 0 for none.
func (l *List) number() uint64 {
	if len(l.entries) == 0 {
		return 0
	}
	return l.entries[len(l.entries)-1].Number
}

// Entries returns the lines, in order.
func (l *List) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// Find returns the line of a request.
func (l *List) Find(request string) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.entries, func(e Entry) bool { return e.Request == request })
	if i < 0 {
		return Entry{}, false
	}
	return l.entries[i], true
}

// Append adds a line, durable when it returns, and returns its number: e.Number, or
// with 0 one after the last, after least, and after the minute of e.At: an older
// list that was put back would else give numbers a second time, which devices take
// for what they know. After a flush that failed it may or
// may not be there, and nothing can be appended until the list is opened again.
func (l *List) Append(e Entry, least uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, l.broken
	}
	if e.Number == 0 {
		e.Number = max(l.number(), least, uint64(max(e.At, 0)/60_000)) + 1
	}
	if e.Number <= l.number() {
		return 0, fmt.Errorf("%w: %s: number %d comes after %d", ErrList, l.path, e.Number, l.number())
	}
	text, err := json.Marshal(content{e.Record.String(), e.Register, e.Unit, e.At, e.Request, e.Ground, e.AskedBy, e.By})
	if err != nil {
		return 0, fmt.Errorf("append to list of erasures: %w", err)
	}
	head := strconv.FormatUint(e.Number, 10) + " " + kindErased
	nonce := make([]byte, l.seal.NonceSize())
	if _, err := io.ReadFull(l.random, nonce); err != nil {
		return 0, fmt.Errorf("append to list of erasures: %w", err)
	}
	line := []byte(head + " " + base64.RawURLEncoding.EncodeToString(l.seal.Seal(nonce, nonce, text, l.bound(head))) + "\n")
	if _, err := l.file.WriteAt(line, l.size); err != nil {
		err = fmt.Errorf("append to list of erasures: %w", err)
		if e := errors.Join(l.file.Truncate(l.size), l.file.Sync()); e != nil {
			l.broken = err
		}
		return 0, err
	}
	// After a flush that failed another may say that all is well.
	if err := l.file.Sync(); err != nil {
		l.broken = fmt.Errorf("append to list of erasures: %w", err)
		return 0, l.broken
	}
	l.take(e, line)
	return e.Number, nil
}

// Close closes the file.
func (l *List) Close() error { return l.file.Close() }

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
