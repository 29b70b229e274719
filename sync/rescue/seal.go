package rescue

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Why something sealed cannot be opened.
var (
	ErrNotSealed = errors.New("not a rescue file")                     // begins with other bytes
	ErrForeign   = errors.New("sealed for another organisation's key") // names another key
	ErrDamaged   = errors.New("damaged or changed")                    // the seal, or what it holds, does not hold
	ErrForged    = errors.New("not made by the device that it names")  // the device's proof is wrong
)

// errKey is a key of the organisation's that is none.
var errKey = errors.New("the organisation's key is no X25519 public key")

const (
	keyIDBytes = 8
	keyBytes   = 32 // of X25519, of AES-256, of a device's key
)

// keyID names a public key in what is sealed to it.
func keyID(public []byte) []byte {
	sum := sha256.Sum256(public)
	return sum[:keyIDBytes]
}

// seal encrypts plain so that only the holder of the private key of org can
// read it. magic says what it is and cannot be exchanged.
func seal(random io.Reader, org []byte, magic string, plain []byte) ([]byte, error) {
	var once [keyBytes]byte
	if _, err := io.ReadFull(random, once[:]); err != nil {
		return nil, fmt.Errorf("draw a key: %w", err)
	}
	secret, ok := x25519(once[:], org)
	if !ok {
		return nil, errKey
	}
	public := PublicKey(once[:])
	head := append([]byte(magic), keyID(org)...)
	head = append(head, public...)
	box, err := cipherOf(secret, public, org, magic)
	if err != nil {
		return nil, err
	}
	// The key is used for this one message: the nonce may be zero.
	return box.Seal(head, make([]byte, box.NonceSize()), plain, head), nil
}

// open undoes seal; private is the organisation's private key.
func open(private []byte, magic string, sealed []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(magic))
	if !ok {
		return nil, ErrNotSealed
	}
	if len(rest) < keyIDBytes+keyBytes {
		return nil, ErrDamaged
	}
	org := PublicKey(private)
	if !bytes.Equal(rest[:keyIDBytes], keyID(org)) {
		return nil, ErrForeign
	}
	once := rest[keyIDBytes : keyIDBytes+keyBytes]
	secret, ok := x25519(private, once)
	if !ok {
		return nil, ErrDamaged
	}
	box, err := cipherOf(secret, once, org, magic)
	if err != nil {
		return nil, err
	}
	head := sealed[:len(magic)+keyIDBytes+keyBytes]
	plain, err := box.Open(nil, make([]byte, box.NonceSize()), sealed[len(head):], head)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// cipherOf derives the cipher of one message, by HKDF-SHA256 of one block. Both
// public keys go into it, so that a secret is worth nothing for another pair.
func cipherOf(secret, once, org []byte, magic string) (cipher.AEAD, error) {
	extract := hmac.New(sha256.New, append(bytes.Clone(once), org...))
	extract.Write(secret)
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write([]byte(magic))
	expand.Write([]byte{1})
	block, err := aes.NewCipher(expand.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
