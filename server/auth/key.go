package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wardbook/server/store"
)

// Keys are the server's secrets. They live in a file of their own (mode 0600, in
// a folder of mode 0700), outside the database, so that a backup of the data
// cannot be used to forge tokens or receipts.
type Keys struct {
	path   string
	random io.Reader

	mu   sync.RWMutex
	file keyFile
	sign map[string]ed25519.PublicKey // kid -> key: the fixed map that verifies
}

// keyFile is the file's form. Seeds are 32 random bytes.
type keyFile struct {
	Version int        `json:"version"`
	Tokens  []tokenKey `json:"tokens"`  // sign access tokens; the last one signs
	Refresh []byte     `json:"refresh"` // derives each refresh token from the one before
	Receipt []byte     `json:"receipt"` // signs what the server says to devices
	Rescue  []byte     `json:"rescue"`  // opens what devices seal: rescue files and the keys of their stores
	Erased  []byte     `json:"erased"`  // seals the list of what was erased by law
}

type tokenKey struct {
	ID      string    `json:"kid"`
	Seed    []byte    `json:"seed"`
	MadeAt  time.Time `json:"made_at"`
	Retired time.Time `json:"retired_at,omitzero"` // when another took over signing
}

const keySeedBytes = 32

// OpenKeys reads keys.json in dir, making dir and file when they are absent. A
// file that others may read, that is malformed, or that holds a short key is an
// error: the server must not start on it.
func OpenKeys(dir string, now time.Time, random io.Reader) (*Keys, error) {
	k := &Keys{path: filepath.Join(dir, "keys.json"), random: random}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open keys: folder %s is open to others (mode %04o, want 0700)", dir, info.Mode().Perm())
	}
	raw, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, k.make(now)
	}
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if info, err := os.Stat(k.path); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open keys: file %s is open to others (mode %04o, want 0600)", k.path, info.Mode().Perm())
	}
	file, err := readKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	grown := false
	for _, seed := range []*[]byte{&file.Rescue, &file.Erased} {
		if len(*seed) == 0 { // made before there was a use for it
			if *seed, err = k.newSeed(); err != nil {
				return nil, err
			}
			grown = true
		}
	}
	if err := file.check(); err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	if grown {
		return k, k.save(file)
	}
	k.use(file)
	return k, nil
}

func readKeys(raw []byte) (file keyFile, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err = dec.Decode(&file)
	return file, err
}

// ErasedKey returns the key of the list of what was erased by law out of keys.json
// in dir, and changes nothing; nil if there is no such key or no such file.
func ErasedKey(dir string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	file, err := readKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return file.Erased, nil
}

func (f keyFile) check() error {
	if f.Version != 1 {
		return fmt.Errorf("version %d is not 1", f.Version)
	}
	if len(f.Tokens) == 0 || len(f.Refresh) != keySeedBytes || len(f.Receipt) != keySeedBytes || len(f.Rescue) != keySeedBytes || len(f.Erased) != keySeedBytes {
		return errors.New("a key is missing or has not 256 bits")
	}
	seen := map[string]bool{}
	for _, t := range f.Tokens {
		if len(t.Seed) != keySeedBytes || t.ID == "" || seen[t.ID] {
			return errors.New("a token key has not 256 bits, or no id of its own")
		}
		seen[t.ID] = true
	}
	return nil
}

func (k *Keys) make(now time.Time) error {
	first, err := k.newTokenKey(now)
	if err != nil {
		return err
	}
	file := keyFile{Version: 1, Tokens: []tokenKey{first}}
	for _, seed := range []*[]byte{&file.Refresh, &file.Receipt, &file.Rescue, &file.Erased} {
		if *seed, err = k.newSeed(); err != nil {
			return err
		}
	}
	return k.save(file)
}

func (k *Keys) newSeed() ([]byte, error) {
	b := make([]byte, keySeedBytes)
	if _, err := io.ReadFull(k.random, b); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return b, nil
}

func (k *Keys) newTokenKey(now time.Time) (tokenKey, error) {
	b, err := k.newSeed()
	if err != nil {
		return tokenKey{}, err
	}
	id := sha256.Sum256(ed25519.NewKeyFromSeed(b).Public().(ed25519.PublicKey))
	return tokenKey{ID: strings.ToLower(base32.StdEncoding.EncodeToString(id[:10])), Seed: b, MadeAt: now.UTC()}, nil
}

// save writes the file whole or not at all, then uses it.
func (k *Keys) save(file keyFile) error {
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(k.path), "keys-*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	_, werr := f.Write(append(raw, '\n'))
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	if err := os.Rename(f.Name(), k.path); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	d, err := os.Open(filepath.Dir(k.path))
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	k.use(file)
	return nil
}

func (k *Keys) use(file keyFile) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file, k.sign = file, map[string]ed25519.PublicKey{}
	for _, t := range file.Tokens {
		k.sign[t.ID] = ed25519.NewKeyFromSeed(t.Seed).Public().(ed25519.PublicKey)
	}
}

// Rotate makes a new key for signing access tokens. Tokens signed by the one
// before stay valid until they expire; keys retired for longer than overlap are
// forgotten.
func (k *Keys) Rotate(now time.Time, overlap time.Duration) error {
	next, err := k.newTokenKey(now)
	if err != nil {
		return err
	}
	k.mu.RLock()
	file := k.file
	k.mu.RUnlock()
	var kept []tokenKey
	for _, t := range file.Tokens {
		if t.Retired.IsZero() {
			t.Retired = now.UTC()
		}
		if now.Sub(t.Retired) <= overlap {
			kept = append(kept, t)
		}
	}
	file.Tokens = append(kept, next)
	return k.save(file)
}

// Drop replaces all keys for access tokens at once, after a leak: every access
// token dies now. Refresh tokens live on, so people stay signed in.
func (k *Keys) Drop(now time.Time) error {
	next, err := k.newTokenKey(now)
	if err != nil {
		return err
	}
	k.mu.RLock()
	file := k.file
	k.mu.RUnlock()
	file.Tokens = []tokenKey{next}
	return k.save(file)
}

// signer returns the key that signs now, and its id.
func (k *Keys) signer() (string, ed25519.PrivateKey) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	t := k.file.Tokens[len(k.file.Tokens)-1]
	return t.ID, ed25519.NewKeyFromSeed(t.Seed)
}

// verifier returns the public key with this id.
func (k *Keys) verifier(id string) (ed25519.PublicKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.sign[id]
	return key, ok
}

// Receipt returns the key with which the server signs receipts and pages. Its
// public half is told to devices when they sign in.
func (k *Keys) Receipt() ed25519.PrivateKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return ed25519.NewKeyFromSeed(k.file.Receipt)
}

// Rescue returns the organisation's private key, which opens what devices seal.
func (k *Keys) Rescue() []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.file.Rescue
}

// Erased returns the key that seals the list of what was erased by law. It stays
// when other keys are rotated: the list is for ever.
func (k *Keys) Erased() []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.file.Erased
}

// deviceKey returns the key with which a device proves that it made a rescue
// file. It follows from the device's id, so nothing is stored that a copy of
// the database would give away.
func (k *Keys) deviceKey(device store.DeviceID) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	mac := hmac.New(sha256.New, k.file.Rescue)
	mac.Write([]byte("wardbook device key\x00"))
	mac.Write([]byte(device))
	return mac.Sum(nil)
}

// pinHalf returns the server's half of the key under which a device keeps its
// store's key for the PIN. It follows from the server's key and a salt in the
// database, so a copy of the database does not hold it.
func (k *Keys) pinHalf(pin store.Pin) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	mac := hmac.New(sha256.New, k.file.Rescue)
	mac.Write([]byte("wardbook pin half\x00"))
	mac.Write(pin.Salt[:])
	mac.Write([]byte(pin.Device))
	return mac.Sum(nil)
}

// successor derives the refresh token that follows secret in its family. That it
// can be derived again is what lets a lost reply be repeated without storing any
// token; without the key nobody can.
func (k *Keys) successor(secret []byte) []byte {
	k.mu.RLock()
	defer k.mu.RUnlock()
	mac := hmac.New(sha256.New, k.file.Refresh)
	mac.Write([]byte("wardbook refresh successor\x00"))
	mac.Write(secret)
	return mac.Sum(nil)
}
