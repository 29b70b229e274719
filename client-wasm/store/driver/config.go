package driver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// KeySize is the length in bytes of a store's key.
const KeySize = 32

// A Config says which store to open and how.
type Config struct {
	// Store names the store on this device: 1 to 40 of a-z, 0-9 and "-". One account, one store.
	Store string
	// Key is KeySize random bytes. Whoever has them can read the store; nobody else can.
	Key []byte
	// Synchronous is FULL, or NORMAL, which loses acknowledged commits in a power cut and exists for the test
	// that shows it. Empty means FULL.
	Synchronous string
	// Wait is how long another worker, which may be on its way out, is given to let go of the files.
	// Zero means three seconds.
	Wait time.Duration
}

func (c Config) validate() (Config, error) {
	if c.Store == "" || len(c.Store) > 40 || strings.ContainsFunc(c.Store, notInName) {
		return c, fmt.Errorf("store name %q: want 1 to 40 of a-z, 0-9 and -", c.Store)
	}
	if len(c.Key) != KeySize {
		return c, fmt.Errorf("store key: got %d bytes, want %d", len(c.Key), KeySize)
	}
	switch c.Synchronous {
	case "":
		c.Synchronous = "FULL"
	case "FULL", "NORMAL":
	default:
		return c, fmt.Errorf("synchronous is %q, want FULL or NORMAL", c.Synchronous)
	}
	if c.Wait < 0 {
		return c, errors.New("wait is negative")
	}
	if c.Wait == 0 {
		c.Wait = 3 * time.Second
	}
	return c, nil
}

// ParseDSN reads the text form of a Config, NAME?key=HEX, optionally with &synchronous=NORMAL.
func ParseDSN(dsn string) (Config, error) {
	name, options, _ := strings.Cut(dsn, "?")
	c := Config{Store: name}
	for option := range strings.SplitSeq(options, "&") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "key":
			b, err := hex.DecodeString(value)
			if err != nil {
				return Config{}, errors.New("store key is not hexadecimal") // without the key
			}
			c.Key = b
		case "synchronous":
			c.Synchronous = value
		default:
			return Config{}, fmt.Errorf("unknown option %q in the name of a store", key)
		}
	}
	return c.validate()
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
}
