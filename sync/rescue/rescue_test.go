package rescue

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"wardbook/conflict"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newOrg(t *testing.T) []byte {
	t.Helper()
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return key
}

// TestX25519 compares with the library's.
func TestX25519(t *testing.T) {
	for range 200 {
		mine, theirs := newOrg(t), newOrg(t)
		a, err := ecdh.X25519().NewPrivateKey(mine)
		if err != nil {
			t.Fatal(err)
		}
		b, err := ecdh.X25519().NewPrivateKey(theirs)
		if err != nil {
			t.Fatal(err)
		}
		if got := PublicKey(mine); !bytes.Equal(got, a.PublicKey().Bytes()) {
			t.Fatalf("public key of %x: got %x, want %x", mine, got, a.PublicKey().Bytes())
		}
		want, err := a.ECDH(b.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := x25519(mine, PublicKey(theirs)); !ok || !bytes.Equal(got, want) {
			t.Fatalf("secret of %x and %x: got %x, want %x", mine, theirs, got, want)
		}
	}
	// A point that is not in canonical form, and points of low order.
	odd := bytes.Repeat([]byte{0xff}, keyBytes)
	public, err := ecdh.X25519().NewPublicKey(odd)
	if err != nil {
		t.Fatal(err)
	}
	mine := newOrg(t)
	a, err := ecdh.X25519().NewPrivateKey(mine)
	if err != nil {
		t.Fatal(err)
	}
	want, err := a.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := x25519(mine, odd); !ok || !bytes.Equal(got, want) {
		t.Errorf("a point above the prime: got %x, want %x", got, want)
	}
	for _, low := range [][]byte{make([]byte, keyBytes), append([]byte{1}, make([]byte, keyBytes-1)...)} {
		if _, ok := x25519(mine, low); ok {
			t.Errorf("%x is taken for a key", low)
		}
	}
	if _, err := Seal(rand.Reader, make([]byte, keyBytes), nil, example()); err == nil {
		t.Error("something is sealed to a point of low order")
	}
	if _, err := Seal(rand.Reader, nil, nil, example()); err == nil {
		t.Error("something is sealed to no key")
	}
}

func example() *File {
	return &File{Device: "dev", Made: 1795000000000, Replica: conflict.ReplicaID{1, 2, 3},
		Changesets: []Changeset{{First: 4, Count: 2, Bytes: []byte("Đặng Thị Hòa")}, {First: 6, Count: 1, Bytes: []byte{0}}}}
}

func keyOf(device string) []byte { return bytes.Repeat([]byte(device), 8) }

func TestSealedFileComesBack(t *testing.T) {
	org := newOrg(t)
	want := example()
	sealed, err := Seal(rand.Reader, PublicKey(org), keyOf("dev"), want)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Hòa", "dev"} {
		if bytes.Contains(sealed, []byte(word)) {
			t.Errorf("%q is readable in the file", word)
		}
	}
	got, err := Open(org, keyOf, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestEveryByteCounts changes each byte and cuts the file at each length: none
// of that may open, nor panic.
func TestEveryByteCounts(t *testing.T) {
	org := newOrg(t)
	sealed, err := Seal(rand.Reader, PublicKey(org), keyOf("dev"), example())
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		_, err := Open(org, keyOf, changed)
		want := ErrDamaged
		if i < len(fileMagic) {
			want = ErrNotSealed
		} else if i < len(fileMagic)+keyIDBytes {
			want = ErrForeign
		}
		if !errors.Is(err, want) {
			t.Errorf("byte %d changed: got %v, want %v", i, err, want)
		}
		if _, err := Open(org, keyOf, sealed[:i]); err == nil {
			t.Errorf("cut after %d bytes: it opens", i)
		}
	}
	if _, err := Open(org, keyOf, append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte more: got %v, want %v", err, ErrDamaged)
	}
}

func TestOthersCannotOpenOrForge(t *testing.T) {
	org := newOrg(t)
	sealed, err := Seal(rand.Reader, PublicKey(org), keyOf("dev"), example())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(newOrg(t), keyOf, sealed); !errors.Is(err, ErrForeign) {
		t.Errorf("another organisation: got %v, want %v", err, ErrForeign)
	}
	// Somebody who knows the public key and not the device's makes a file in
	// its name.
	forged, err := Seal(rand.Reader, PublicKey(org), keyOf("thief"), example())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(org, keyOf, forged); !errors.Is(err, ErrForged) {
		t.Errorf("forged: got %v, want %v", err, ErrForged)
	}
	// What is sealed as one thing does not open as another.
	key, err := SealKey(rand.Reader, PublicKey(org), "dev", keyOf("dev"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(org, keyOf, append([]byte(fileMagic), key[len(keyMagic):]...)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a key under a file's name: got %v, want %v", err, ErrDamaged)
	}
}

// TestLateFile is proved by a key that proves nothing else.
func TestLateFile(t *testing.T) {
	org := newOrg(t)
	want := example()
	want.Late = true
	late := LateKey(keyOf("dev"))
	sealed, err := Seal(rand.Reader, PublicKey(org), late, want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(org, keyOf, sealed); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	// Who has found the late key cannot pass a file off as the device's own work.
	for _, c := range []struct {
		name string
		key  []byte
		late bool
	}{{"Ordinary", late, false}, {"ByDeviceKey", keyOf("dev"), true}, {"OtherDevice", LateKey(keyOf("other")), true}} {
		f := example()
		f.Late = c.late
		if sealed, err = Seal(rand.Reader, PublicKey(org), c.key, f); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(org, keyOf, sealed); !errors.Is(err, ErrForged) {
			t.Errorf("%s: got %v, want %v", c.name, err, ErrForged)
		}
		// What is one kind does not open as the other.
		other := append([]byte(lateMagic), bytes.TrimPrefix(sealed, []byte(fileMagic))...)
		if c.late {
			other = append([]byte(fileMagic), bytes.TrimPrefix(sealed, []byte(lateMagic))...)
		}
		if _, err := Open(org, keyOf, other); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s under the other name: got %v, want %v", c.name, err, ErrDamaged)
		}
	}
}

func TestSealedKeyComesBack(t *testing.T) {
	org := newOrg(t)
	key := bytes.Repeat([]byte{7}, keyBytes)
	sealed, err := SealKey(rand.Reader, PublicKey(org), "dev", key)
	if err != nil {
		t.Fatal(err)
	}
	device, got, err := OpenKey(org, sealed)
	if err != nil || device != "dev" || !bytes.Equal(got, key) {
		t.Errorf("got %q, %x, %v", device, got, err)
	}
	for i := range sealed {
		if _, _, err := OpenKey(org, sealed[:i]); err == nil {
			t.Errorf("cut after %d bytes: it opens", i)
		}
	}
}

// TestGolden holds the form that files on people's sticks have.
func TestGolden(t *testing.T) {
	golden(t, "testdata/file.hex", example(), keyOf("dev"))
	late := example()
	late.Late = true
	golden(t, "testdata/late.hex", late, LateKey(keyOf("dev")))
}

func golden(t *testing.T, path string, want *File, key []byte) {
	t.Helper()
	org := bytes.Repeat([]byte{9}, keyBytes)
	if *update {
		sealed, err := Seal(bytes.NewReader(bytes.Repeat([]byte{5}, keyBytes)), PublicKey(org), key, want)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(hex.EncodeToString(sealed)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(org, keyOf, sealed)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzOpen(f *testing.F) {
	org := bytes.Repeat([]byte{9}, keyBytes)
	f.Add([]byte("dev"), []byte{1, 2, 3})
	// The seal cannot be guessed, so what lies inside it is fuzzed.
	f.Fuzz(func(t *testing.T, key, plain []byte) {
		sealed, err := seal(bytes.NewReader(bytes.Repeat([]byte{5}, keyBytes)), PublicKey(org), fileMagic, plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Open(org, func(string) []byte { return key }, sealed); err == nil && len(got.Changesets) > len(plain) {
			t.Errorf("%d changesets out of %d bytes", len(got.Changesets), len(plain))
		}
	})
}
