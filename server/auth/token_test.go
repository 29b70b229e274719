package auth

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

func grep(t *testing.T, path, text string) bool {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(b), text)
}

// Each case changes one thing of a good token.
func TestForgedTokensAreRefused(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, p := f.login(t, "officer.a")
	now := f.clock.now()
	kid, key := f.keys.signer()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer lure.Close()

	goodClaims := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "wardbook", "aud": "wardbook", "sub": string(p.Account), "dev": string(p.Device), "fam": string(p.Family),
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	}
	make := func(method jwt.SigningMethod, key any, change func(header map[string]any, c jwt.MapClaims)) string {
		t.Helper()
		c := goodClaims()
		token := jwt.NewWithClaims(method, c)
		token.Header["typ"], token.Header["kid"] = accessType, kid
		if change != nil {
			change(token.Header, c)
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	with := func(change func(h map[string]any, c jwt.MapClaims)) string {
		return make(jwt.SigningMethodEdDSA, key, change)
	}
	claim := func(name string, value any) string {
		return with(func(_ map[string]any, c jwt.MapClaims) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		})
	}
	header := func(name string, value any) string {
		return with(func(h map[string]any, _ jwt.MapClaims) {
			if h[name] = value; value == nil {
				delete(h, name)
			}
		})
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	good := with(nil)
	parts := strings.Split(good, ".")
	cases := []struct {
		name, token string
		want        error
	}{
		{"as issued", g.Access, nil},
		{"as made here", good, nil},
		// S19: one algorithm
		{"none", make(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil), rpc.ErrUnauthenticated},
		{"none with the good signature", headerOf(t, parts, "alg", "none"), rpc.ErrUnauthenticated},
		{"HS512 with the public key", make(jwt.SigningMethodHS512, []byte(key.Public().(ed25519.PublicKey)), nil), rpc.ErrUnauthenticated},
		{"HS512 with the public key as PKIX", make(jwt.SigningMethodHS512, public, nil), rpc.ErrUnauthenticated},
		{"HS256", make(jwt.SigningMethodHS256, []byte("secret"), nil), rpc.ErrUnauthenticated},
		{"RS256", make(jwt.SigningMethodRS256, rsaKey, nil), rpc.ErrUnauthenticated},
		{"EdDSA in the header, HMAC beneath", mac(t, parts), rpc.ErrUnauthenticated},
		// S20, S23: times
		{"no exp", claim("exp", nil), rpc.ErrUnauthenticated},
		{"expired", claim("exp", now.Add(-time.Minute).Unix()), ErrTokenExpired},
		{"expired within the leeway", claim("exp", now.Add(-3*time.Second).Unix()), nil},
		{"iat in ten days", claim("iat", now.Add(240*time.Hour).Unix()), rpc.ErrUnauthenticated},
		{"no iat", claim("iat", nil), rpc.ErrUnauthenticated},
		{"nbf in an hour", claim("nbf", now.Add(time.Hour).Unix()), rpc.ErrUnauthenticated},
		{"exp as text", claim("exp", "tomorrow"), rpc.ErrUnauthenticated},
		// S21: issuer and audience
		{"wrong issuer", claim("iss", "elsewhere"), rpc.ErrUnauthenticated},
		{"no issuer", claim("iss", nil), rpc.ErrUnauthenticated},
		{"wrong audience", claim("aud", "hub"), rpc.ErrUnauthenticated},
		{"no audience", claim("aud", nil), rpc.ErrUnauthenticated},
		// S22: type
		{"refresh type", header("typ", "refresh+jwt"), rpc.ErrUnauthenticated},
		{"plain JWT type", header("typ", "JWT"), rpc.ErrUnauthenticated},
		{"no type", header("typ", nil), rpc.ErrUnauthenticated},
		{"type as number", header("typ", 1), rpc.ErrUnauthenticated},
		{"the refresh token itself", g.Refresh, rpc.ErrUnauthenticated},
		// S25: keys
		{"another's key", make(jwt.SigningMethodEdDSA, stranger, nil), rpc.ErrUnauthenticated},
		{"unknown kid", header("kid", "other"), rpc.ErrUnauthenticated},
		{"no kid", header("kid", nil), rpc.ErrUnauthenticated},
		{"kid as a path", header("kid", "../../keys.json"), rpc.ErrUnauthenticated},
		{"jku", header("jku", lure.URL), rpc.ErrUnauthenticated},
		{"x5u", header("x5u", lure.URL), rpc.ErrUnauthenticated},
		{"jwk", header("jwk", map[string]string{"kty": "OKP"}), rpc.ErrUnauthenticated},
		{"x5c", header("x5c", []string{"MII"}), rpc.ErrUnauthenticated},
		{"crit", header("crit", []string{"exp"}), rpc.ErrUnauthenticated},
		// whom it names
		{"no subject", claim("sub", nil), rpc.ErrUnauthenticated},
		{"no device", claim("dev", nil), rpc.ErrUnauthenticated},
		{"no sign-in", claim("fam", nil), rpc.ErrUnauthenticated},
		{"unknown subject", claim("sub", "nobody"), ErrSignedOut},
		{"unknown device", claim("dev", "none"), ErrSignedOut},
		{"unknown sign-in", claim("fam", "none"), ErrSignedOut},
		// form
		{"empty", "", rpc.ErrUnauthenticated},
		{"no signature", parts[0] + "." + parts[1] + ".", rpc.ErrUnauthenticated},
		{"two parts", parts[0] + "." + parts[1], rpc.ErrUnauthenticated},
		{"a bit flipped", parts[0] + "." + parts[1] + "." + flip(parts[2]), rpc.ErrUnauthenticated},
		{"payload of another", parts[0] + "." + strings.Split(claim("sub", "nobody"), ".")[1] + "." + parts[2], rpc.ErrUnauthenticated},
		{"a million dots", strings.Repeat(".", 1_000_000), rpc.ErrUnauthenticated},
		{"a megabyte", parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2], rpc.ErrUnauthenticated},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := f.Authenticate(ctx, c.token)
			wantErr(t, "authenticate", err, c.want)
			if c.want != nil && got != (Principal{}) {
				t.Errorf("a refused token gave %+v", got)
			}
		})
	}
	if asked != 0 {
		t.Errorf("a token's header made the server ask %d times", asked)
	}
}

func headerOf(t *testing.T, parts []string, name, value string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	h := map[string]any{}
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	h[name] = value
	raw, _ = json.Marshal(h)
	return base64.RawURLEncoding.EncodeToString(raw) + "." + parts[1] + "." + parts[2]
}

func mac(t *testing.T, parts []string) string {
	t.Helper()
	m := hmac.New(sha512.New, []byte("k"))
	m.Write([]byte(parts[0] + "." + parts[1]))
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func flip(s string) string {
	b := []byte(s)
	if b[3] == 'A' {
		b[3] = 'B'
	} else {
		b[3] = 'A'
	}
	return string(b)
}

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := time.Unix(1_800_000_000, 0)
	k, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "keys.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	again, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Receipt().Equal(k.Receipt()) || string(again.successor([]byte("x"))) != string(k.successor([]byte("x"))) {
		t.Error("the keys changed between two openings")
	}
	kid, key := k.signer()
	if key.Equal(k.Receipt()) {
		t.Error("tokens and receipts share a key")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(f *keyFile)) []byte {
		var f keyFile
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatal(err)
		}
		change(&f)
		b, _ := json.Marshal(f)
		return b
	}
	for name, bad := range map[string][]byte{
		"short token key":   edit(func(f *keyFile) { f.Tokens[0].Seed = f.Tokens[0].Seed[:31] }),
		"one byte":          edit(func(f *keyFile) { f.Refresh = []byte{1} }),
		"no receipt key":    edit(func(f *keyFile) { f.Receipt = nil }),
		"no token key":      edit(func(f *keyFile) { f.Tokens = nil }),
		"later version":     edit(func(f *keyFile) { f.Version = 2 }),
		"two keys, one kid": edit(func(f *keyFile) { f.Tokens = append(f.Tokens, f.Tokens[0]) }),
		"half a file":       raw[:len(raw)/2],
		"empty":             {},
	} {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(dir, now, rand.Reader); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		mode os.FileMode
		back os.FileMode
	}{{file, 0o640, 0o600}, {dir, 0o755, 0o700}} {
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(dir, now, rand.Reader); err == nil {
			t.Errorf("opened %s with mode %o", filepath.Base(c.path), c.mode)
		}
		if err := os.Chmod(c.path, c.back); err != nil {
			t.Fatal(err)
		}
	}
	// Rotation overlaps; dropping does not.
	if err := k.Rotate(now.Add(time.Hour), 15*time.Minute); err != nil {
		t.Fatal(err)
	}
	next, _ := k.signer()
	if _, ok := k.verifier(kid); !ok || next == kid {
		t.Error("after a rotation the old key must verify and a new one sign")
	}
	if err := k.Rotate(now.Add(2*time.Hour), 15*time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.verifier(kid); ok {
		t.Error("a key retired long ago still verifies")
	}
	if err := k.Drop(now.Add(2 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.verifier(next); ok {
		t.Error("a dropped key still verifies")
	}
	reopened, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := reopened.signer()
	if b, _ := k.signer(); a != b {
		t.Errorf("signing key after reopening: got %s, want %s", a, b)
	}
}

func TestRotationUnderWay(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, _ := f.login(t, "officer.a")
	if err := f.keys.Rotate(f.clock.now(), 15*time.Minute); err != nil {
		t.Fatal(err)
	}
	_, err := f.Authenticate(ctx, g.Access)
	wantErr(t, "token of the key before", err, nil)
	if err := f.keys.Drop(f.clock.now()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Authenticate(ctx, g.Access); !errors.Is(err, rpc.ErrUnauthenticated) {
		t.Errorf("token of a dropped key: got %v, want %v", err, rpc.ErrUnauthenticated)
	}
	_, err = f.Refresh(ctx, g.Refresh, g.Device.ID)
	wantErr(t, "refresh after the drop", err, nil)
}

// FuzzParseToken: no text is taken for a token that was not signed by us, and the
// refusal is one of the two that a client is told.
func FuzzParseToken(f *testing.F) {
	keys, err := OpenKeys(filepath.Join(f.TempDir(), "keys"), time.Unix(1_800_000_000, 0), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	tokens := newTokens(keys, "wardbook", "wardbook", 15*time.Minute, func() time.Time { return time.Unix(1_800_000_000, 0) })
	good, _, err := tokens.issue("a", "d", "f")
	if err != nil {
		f.Fatal(err)
	}
	if _, err := tokens.parse(good); err != nil {
		f.Fatal(err)
	}
	header, rest, _ := strings.Cut(good, ".")
	for _, s := range []string{good, header + "." + rest[:len(rest)-1], header + "..", "....", strings.Repeat(".", maxTokenBytes+1),
		base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + rest,
		base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","typ":"at+jwt","kid":{"a":1},"jku":"http://127.0.0.1/"}`)) + "." + rest} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := tokens.parse(text)
		switch {
		case err == nil && text == good: // the keys are new in each run, so a corpus cannot hold one
		case err == nil:
			t.Errorf("%q was taken for a token of %+v", text, c)
		case !errors.Is(err, ErrTokenExpired) && !errors.Is(err, rpc.ErrUnauthenticated):
			t.Errorf("%q: got %v", text, err)
		}
	})
}
