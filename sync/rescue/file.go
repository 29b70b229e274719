package rescue

import (
	"bytes"
	"compress/flate"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"wardbook/conflict"
)

const (
	fileMagic = "wardbook rescue 1\n"
	lateMagic = "wardbook late 1\n"
)

// Limits of a rescue file, in bytes.
const (
	MaxFile  = 16 << 20
	maxPlain = 128 << 20 // unpacked
)

// File is the unsent work of one replica.
type File struct {
	// Late says that it was written while the device was locked because its lease
	// had ended. Whoever holds such a device may write on it: the file proves the
	// device, and nothing of who wrote.
	Late       bool
	Device     string // that it was made on, as the server named it
	Made       int64  // device clock, Unix milliseconds
	Replica    conflict.ReplicaID
	Changesets []Changeset // by counter
}

// Changeset is one changeset in its canonical bytes. They are carried as they
// are: a newer build may have to carry what an older one wrote.
type Changeset struct {
	First, Count uint64 // counters
	Bytes        []byte
}

// Seal makes a rescue file. deviceKey is the device's own, as the server gave
// it, or for a late file its LateKey; with it the server knows that the file is
// of that device's making.
func Seal(random io.Reader, org []byte, deviceKey []byte, f *File) ([]byte, error) {
	body := appendText(nil, f.Device)
	body = binary.AppendVarint(body, f.Made)
	body = append(body, f.Replica[:]...)
	body = binary.AppendUvarint(body, uint64(len(f.Changesets)))
	for _, c := range f.Changesets {
		body = binary.AppendUvarint(body, c.First)
		body = binary.AppendUvarint(body, c.Count)
		body = binary.AppendUvarint(body, uint64(len(c.Bytes)))
		body = append(body, c.Bytes...)
	}
	var packed bytes.Buffer
	magic := fileMagic
	if f.Late {
		magic = lateMagic
	}
	packed.Write(proof(magic, deviceKey, body))
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return seal(random, org, magic, packed.Bytes())
}

// Open reads a rescue file. deviceKey returns the key of a device.
func Open(private []byte, deviceKey func(device string) []byte, sealed []byte) (*File, error) {
	if len(sealed) > MaxFile {
		return nil, ErrDamaged
	}
	magic, late := fileMagic, bytes.HasPrefix(sealed, []byte(lateMagic))
	if late {
		magic = lateMagic
	}
	plain, err := open(private, magic, sealed)
	if err != nil {
		return nil, err
	}
	if len(plain) < sha256.Size {
		return nil, ErrDamaged
	}
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plain[sha256.Size:])), maxPlain+1))
	if err != nil || len(body) > maxPlain {
		return nil, ErrDamaged
	}
	r := reader{rest: body}
	f := &File{Late: late, Device: r.text()}
	if r.failed {
		return nil, ErrDamaged
	}
	// Nothing else of it is believed before the device's proof is.
	key := deviceKey(f.Device)
	if late {
		key = LateKey(key)
	}
	if !hmac.Equal(plain[:sha256.Size], proof(magic, key, body)) {
		return nil, ErrForged
	}
	f.Made = r.varint()
	copy(f.Replica[:], r.take(uint64(len(f.Replica))))
	for n := r.uvarint(); n > 0 && !r.failed; n-- {
		c := Changeset{First: r.uvarint(), Count: r.uvarint()}
		c.Bytes = r.take(r.uvarint())
		f.Changesets = append(f.Changesets, c)
	}
	if r.failed || len(r.rest) > 0 {
		return nil, ErrDamaged
	}
	return f, nil
}

// LateKey is what a device may keep where nothing protects it, to prove that a
// late file is of its making: it does for nothing else.
func LateKey(deviceKey []byte) []byte {
	mac := hmac.New(sha256.New, deviceKey)
	mac.Write([]byte("wardbook late key"))
	return mac.Sum(nil)
}

func proof(magic string, deviceKey, body []byte) []byte {
	mac := hmac.New(sha256.New, deviceKey)
	mac.Write([]byte(magic))
	mac.Write(body)
	return mac.Sum(nil)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// reader takes values off the front of bytes until one is not there.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}
