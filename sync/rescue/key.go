package rescue

import (
	"io"
)

const keyMagic = "wardbook key 1\n"

// SealKey seals the key of a device's store, so that the server can give it
// back to its account when the password that it was locked with is gone, or
// when the device has thrown away its own means of opening it.
func SealKey(random io.Reader, org []byte, device string, key []byte) ([]byte, error) {
	return seal(random, org, keyMagic, appendText(append([]byte(nil), key...), device))
}

// OpenKey returns the key that SealKey sealed, and the device it belongs to.
func OpenKey(private []byte, sealed []byte) (device string, key []byte, err error) {
	plain, err := open(private, keyMagic, sealed)
	if err != nil {
		return "", nil, err
	}
	if len(plain) < keyBytes {
		return "", nil, ErrDamaged
	}
	r := reader{rest: plain[keyBytes:]}
	device = r.text()
	if r.failed || len(r.rest) > 0 {
		return "", nil, ErrDamaged
	}
	return device, plain[:keyBytes], nil
}
