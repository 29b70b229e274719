package rescue

import (
	"crypto/subtle"

	"filippo.io/edwards25519/field"
)

// x25519 is RFC 7748's function: the shared secret of a private scalar and a
// public point, 32 bytes each; with the base point it is the scalar's public
// key. ok is false for a point of low order, whose secret everybody knows.
//
// The library's crypto/ecdh does the same and brings three further curves into
// the browser's module, 110 KB of it. The tests compare the two.
func x25519(scalar, point []byte) (out []byte, ok bool) {
	var e [32]byte
	copy(e[:], scalar)
	e[0] &= 248
	e[31] &= 127
	e[31] |= 64
	var x1, x2, z2, x3, z3 field.Element
	if _, err := x1.SetBytes(point); err != nil { // it leaves the highest bit out, as it should
		return nil, false
	}
	x2.One()
	x3.Set(&x1)
	z3.One()
	var a, b, c, d, aa, bb, diff, da, cb field.Element
	swap := 0
	for t := 254; t >= 0; t-- {
		bit := int(e[t/8]>>(t%8)) & 1
		swap ^= bit
		x2.Swap(&x3, swap)
		z2.Swap(&z3, swap)
		swap = bit
		a.Add(&x2, &z2)
		b.Subtract(&x2, &z2)
		c.Add(&x3, &z3)
		d.Subtract(&x3, &z3)
		aa.Square(&a)
		bb.Square(&b)
		diff.Subtract(&aa, &bb)
		da.Multiply(&d, &a)
		cb.Multiply(&c, &b)
		x3.Add(&da, &cb)
		x3.Square(&x3)
		z3.Subtract(&da, &cb)
		z3.Square(&z3)
		z3.Multiply(&z3, &x1)
		x2.Multiply(&aa, &bb)
		z2.Mult32(&diff, 121665)
		z2.Add(&z2, &aa)
		z2.Multiply(&z2, &diff)
	}
	x2.Swap(&x3, swap)
	z2.Swap(&z3, swap)
	out = x2.Multiply(&x2, z2.Invert(&z2)).Bytes()
	return out, subtle.ConstantTimeCompare(out, make([]byte, 32)) == 0
}

// PublicKey returns the public key of a private one, 32 bytes each.
func PublicKey(private []byte) []byte {
	base := make([]byte, keyBytes)
	base[0] = 9
	public, _ := x25519(private, base) // the base point has no low order
	return public
}
