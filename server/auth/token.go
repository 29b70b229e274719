package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

// accessType is the typ header of an access token. A token of another type, or
// of none, is none of ours.
const accessType = "at+jwt"

// maxTokenBytes bounds what is parsed at all; ours have some 500 bytes.
const maxTokenBytes = 2048

// claims are what an access token says: who, from which device and sign-in, and
// until when. It says nothing about rights.
type claims struct {
	jwt.RegisteredClaims
	Device store.DeviceID `json:"dev"`
	Family store.FamilyID `json:"fam"`
}

// tokens issues and reads access tokens. It has the only JWT parser of the
// server.
type tokens struct {
	keys     *Keys
	issuer   string
	audience string
	life     time.Duration
	now      func() time.Time
	parser   *jwt.Parser
}

func newTokens(keys *Keys, issuer, audience string, life time.Duration, now func() time.Time) *tokens {
	return &tokens{keys, issuer, audience, life, now, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithLeeway(5*time.Second),
		jwt.WithTimeFunc(now),
		jwt.WithStrictDecoding(),
	)}
}

func (t *tokens) issue(account store.AccountID, device store.DeviceID, family store.FamilyID) (string, time.Time, error) {
	now := t.now()
	expires := now.Add(t.life)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.issuer, Subject: string(account), Audience: jwt.ClaimStrings{t.audience},
			ExpiresAt: jwt.NewNumericDate(expires), IssuedAt: jwt.NewNumericDate(now),
		},
		Device: device, Family: family,
	})
	id, key := t.keys.signer()
	token.Header["typ"], token.Header["kid"] = accessType, id
	signed, err := token.SignedString(key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign access token: %w", err)
	}
	return signed, expires.UTC().Truncate(time.Second), nil
}

// parse returns the claims of a valid access token. Its errors are
// ErrTokenExpired for a token that was ours, and ErrUnauthenticated.
func (t *tokens) parse(text string) (claims, error) {
	if len(text) > maxTokenBytes {
		return claims{}, rpc.ErrUnauthenticated.Because(errors.New("token is too long"))
	}
	var c claims
	_, err := t.parser.ParseWithClaims(text, &c, t.key)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return claims{}, ErrTokenExpired
	case err != nil:
		return claims{}, rpc.ErrUnauthenticated.Because(err)
	case c.Subject == "" || c.Device == "" || c.Family == "" || c.IssuedAt == nil:
		return claims{}, rpc.ErrUnauthenticated.Because(errors.New("token lacks a claim"))
	}
	return c, nil
}

// key picks the verifying key from our own map. Whatever else the header offers
// (jwk, jku, x5u, x5c) is a reason to refuse, not a place to look.
func (t *tokens) key(token *jwt.Token) (any, error) {
	for name := range token.Header {
		switch name {
		case "alg", "typ", "kid":
		default:
			return nil, fmt.Errorf("header %q is not ours", name)
		}
	}
	if typ, _ := token.Header["typ"].(string); typ != accessType {
		return nil, fmt.Errorf("typ is not %s", accessType)
	}
	id, _ := token.Header["kid"].(string)
	key, ok := t.keys.verifier(id)
	if !ok {
		return nil, errors.New("kid is unknown")
	}
	return key, nil
}
