package protocol

import (
	"crypto/ed25519"
	"slices"

	"wardbook/conflict"
)

// What a signature is about stands at the start of the signed bytes, so that
// one can never be taken for the other.
const (
	pageSignature    = "wardbook page 1\n"
	receiptSignature = "wardbook receipt 1\n"
)

// PageBytes returns the bytes that the server signs of page p in its given
// epoch: the page with no column packed and without its signature. They do not
// depend on who compressed the page, so a device may give back a page that it
// kept in any form.
func PageBytes(epoch Token, p *Page) []byte {
	dst := append([]byte(pageSignature), epoch[:]...)
	return p.append(append(dst, byte(KindPage)), false)
}

// SignPage signs p in place.
func SignPage(key ed25519.PrivateKey, epoch Token, p *Page) {
	p.Signature = ed25519.Sign(key, PageBytes(epoch, p))
}

// SealPage signs p in place and returns what Encode returns of it then. Both
// tell the same columns, which are made once.
func SealPage(key ed25519.PrivateKey, epoch Token, p *Page) []byte {
	w := p.write()
	defer w.release()
	w.out = w.append(append(append(append(w.out[:0], pageSignature...), epoch[:]...), byte(KindPage)), p, false)
	p.Signature = ed25519.Sign(key, w.out)
	w.out = appendSignature(w.append(append(w.out[:0], byte(KindPage)), p, true), p.Signature)
	return slices.Clone(w.out)
}

// VerifyPage reports whether p was signed in epoch by the owner of key.
func VerifyPage(key ed25519.PublicKey, epoch Token, p *Page) bool {
	return verify(key, PageBytes(epoch, p), p.Signature)
}

// VerifyReceived is VerifyPage for a page that came from Decode and was not
// changed since: its columns are laid out from the wire, at half the cost.
func VerifyReceived(key ed25519.PublicKey, epoch Token, p *Page) bool {
	if p.Wire == "" {
		return VerifyPage(key, epoch, p)
	}
	plain, ok := plainPage(append([]byte(pageSignature), epoch[:]...), p.Wire)
	return ok && verify(key, plain, p.Signature)
}

// plainPage appends a page's message with every column stored and without its
// signature.
func plainPage(dst []byte, wire string) ([]byte, bool) {
	r := reading{weight: MaxDecoded}
	s := source{b: wire, bad: &r.bad}
	s.byte()
	stream(&s)
	for range 8 { // floor, from, to, head, and how much there is
		s.number()
	}
	head := s.off
	r.unpack(&s, pageColumns)
	if r.bad {
		return nil, false
	}
	dst = append(dst, wire[:head]...)
	for i := range r.cols {
		c := &r.cols[i]
		dst = append(appendNumber(dst, uint64(len(c.b))<<2|packStored), c.b...)
	}
	return dst, true
}

// ReceiptBytes returns the bytes that the server signs of a receipt given to
// replica in epoch: without its signature, but with both, as the receipt
// itself names neither.
func ReceiptBytes(epoch Token, replica conflict.ReplicaID, a *Ack) []byte {
	dst := append([]byte(receiptSignature), epoch[:]...)
	return a.append(append(dst, replica[:]...))
}

// SignAck signs a in place.
func SignAck(key ed25519.PrivateKey, epoch Token, replica conflict.ReplicaID, a *Ack) {
	a.Signature = ed25519.Sign(key, ReceiptBytes(epoch, replica, a))
}

// VerifyAck reports whether a was signed for replica in epoch by the owner of key.
func VerifyAck(key ed25519.PublicKey, epoch Token, replica conflict.ReplicaID, a *Ack) bool {
	return verify(key, ReceiptBytes(epoch, replica, a), a.Signature)
}

// verify never panics, as ed25519.Verify does on a key of another length.
func verify(key ed25519.PublicKey, message, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, signature)
}
