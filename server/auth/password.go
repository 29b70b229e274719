package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost is what argon2id spends on one password.
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultCost is OWASP's choice for argon2id with 19 MiB: two passes, one lane.
// Some 30 ms on a server core.
var DefaultCost = Cost{Memory: 19 * 1024, Time: 2, Threads: 1}

const (
	minPasswordRunes = 10
	maxPasswordBytes = 512
	saltBytes        = 16
	keyBytes         = 32
)

//go:embed breached.txt
var breachedText string

// hasher makes and checks password hashes, as many at once as there are cores:
// more would only take memory from a server under attack.
type hasher struct {
	cost     Cost
	slots    chan struct{}
	random   io.Reader
	unknown  string // a hash that no password has, for names that do not exist
	breached map[string]bool
}

func newHasher(cost Cost, random io.Reader) (*hasher, error) {
	h := &hasher{cost: cost, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), random: random, breached: map[string]bool{}}
	for _, line := range strings.Split(breachedText, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			h.breached[fold(line)] = true
		}
	}
	var secret [32]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return nil, fmt.Errorf("make password hash: %w", err)
	}
	var err error
	h.unknown, err = h.hash(context.Background(), base64.StdEncoding.EncodeToString(secret[:]))
	return h, err
}

// enter waits for one of the few places in which passwords are hashed. Whoever
// holds it may hash; leave gives it back.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, errOverloaded.Because(ctx.Err())
	}
}

func key(password string, salt []byte, c Cost) []byte {
	// One keyboard sends é as one character, another as two.
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, c.Time, c.Memory, c.Threads, keyBytes)
}

// hash returns the PHC form of a password's hash under a new salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Time, h.cost.Threads,
		b64.EncodeToString(salt), b64.EncodeToString(key(password, salt, h.cost))), nil
}

// verify says whether password has this hash. It takes as long for a wrong
// password as for the right one. The caller is between enter and leave.
func verify(password, phc string) (bool, error) {
	c, salt, want, err := parsePHC(phc)
	if err != nil {
		return false, err
	}
	if len(password) > maxPasswordBytes {
		password = password[:maxPasswordBytes] // never set, hence never equal; still the same time
	}
	return subtle.ConstantTimeCompare(key(password, salt, c), want) == 1, nil
}

func parsePHC(phc string) (c Cost, salt, key []byte, err error) {
	var version int
	parts := strings.Split(phc, "$")
	bad := func() (Cost, []byte, []byte, error) {
		return Cost{}, nil, nil, errors.New("read password hash: not an argon2id hash")
	}
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return bad()
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return bad()
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Time, &c.Threads); err != nil ||
		c.Memory == 0 || c.Memory > 1<<20 || c.Time == 0 || c.Time > 16 || c.Threads == 0 {
		return bad()
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(key) != keyBytes {
		return bad()
	}
	return c, salt, key, nil
}

// checkPassword judges a new password for the account name: long enough, and
// not one of those that are tried first. There are no rules of composition and
// no expiry: they make passwords worse.
func (h *hasher) checkPassword(password, name string) error {
	p := norm.NFC.String(password)
	switch {
	case !utf8.ValidString(password):
		return ErrPasswordCommon
	case utf8.RuneCountInString(p) < minPasswordRunes:
		return ErrPasswordShort
	case len(p) > maxPasswordBytes:
		return ErrPasswordLong
	}
	f := fold(p)
	// What is left without the digits and signs that people put around a word.
	core := strings.TrimFunc(f, func(r rune) bool { return !unicode.IsLetter(r) })
	whole := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, f)
	if n := fold(name); n != "" && strings.Contains(f, n) && len(f) < len(n)+minPasswordRunes {
		return ErrPasswordCommon
	}
	if h.breached[f] || h.breached[whole] || h.breached[core] || core == "" || monotonous(f) {
		// An empty core is a phone number or a date.
		return ErrPasswordCommon
	}
	return nil
}

// monotonous says whether s is made of few characters, or of one run such as
// abcdefghij.
func monotonous(s string) bool {
	seen := map[rune]bool{}
	steps := map[rune]bool{}
	var last rune
	for i, r := range s {
		seen[r] = true
		if i > 0 {
			steps[r-last] = true
		}
		last = r
	}
	return len(seen) < 4 || len(steps) == 1
}

// fold returns s in lower case without diacritics, so that one spelling in the
// list covers all.
func fold(s string) string {
	s = strings.ToLower(norm.NFD.String(s))
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'đ':
			return 'd'
		case unicode.Is(unicode.Mn, r) || unicode.IsSpace(r):
			return -1
		}
		return r
	}, s)
}

// passwordLetters leaves out what looks alike on paper.
const passwordLetters = "abcdefghjkmnpqrstuvwxyz23456789"

// newSecret returns n letters in groups of four, some 4.95 bits each.
func newSecret(random io.Reader, n int) (string, error) {
	var b strings.Builder
	for i := 0; i < n; {
		var c [1]byte
		if _, err := io.ReadFull(random, c[:]); err != nil {
			return "", fmt.Errorf("make secret: %w", err)
		}
		if int(c[0]) >= 256/len(passwordLetters)*len(passwordLetters) {
			continue // the first letters would come more often
		}
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(passwordLetters[int(c[0])%len(passwordLetters)])
		i++
	}
	return b.String(), nil
}

// NewPassword returns a random password of some 79 bits, to hand over on paper.
func NewPassword() (string, error) { return newSecret(rand.Reader, 16) }
