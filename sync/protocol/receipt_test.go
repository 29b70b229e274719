package protocol

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"wardbook/conflict"
)

func testKeys(seed byte) (ed25519.PublicKey, ed25519.PrivateKey) {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	return k.Public().(ed25519.PublicKey), k
}

func TestSignPage(t *testing.T) {
	public, private := testKeys(1)
	other, _ := testKeys(2)
	c := newCity(30)
	epoch := Token{7}
	p := &Page{Stream: Stream{"26734", "residents", Basic}, From: 1, To: 31, Head: 31, Records: c.feed}
	if VerifyPage(public, epoch, p) {
		t.Error("a page without a signature was accepted")
	}
	SignPage(private, epoch, p)
	alike := *p
	if sealed := SealPage(private, epoch, &alike); !bytes.Equal(sealed, Encode(nil, p)) || !bytes.Equal(alike.Signature, p.Signature) {
		t.Error("sealing a page gives other bytes than signing and encoding it")
	}
	m, err := Decode(Encode(nil, p))
	if err != nil {
		t.Fatal(err)
	}
	got := m.(*Page)
	if !VerifyPage(public, epoch, got) || !VerifyReceived(public, epoch, got) {
		t.Error("the page that arrived was refused")
	}
	if VerifyReceived(other, epoch, got) || VerifyReceived(public, Token{8}, got) {
		t.Error("accepted as received under another key or in another epoch")
	}
	// Kept by another program, which packs differently or not at all.
	if m, err = Decode(appendMessage(nil, got, false)); err != nil || !VerifyPage(public, epoch, m.(*Page)) {
		t.Errorf("the same page, packed differently, was refused: %v", err)
	}
	if VerifyPage(other, epoch, got) || VerifyPage(nil, epoch, got) {
		t.Error("accepted under another key")
	}
	if VerifyPage(public, Token{8}, got) {
		t.Error("accepted in another epoch")
	}
	changes := map[string]func(p *Page){
		"stream": func(p *Page) { p.Stream.Class = Sensitive },
		"floor":  func(p *Page) { p.Floor++ },
		"from":   func(p *Page) { p.From++ },
		"to":     func(p *Page) { p.To++ },
		"record": func(p *Page) { p.Records = p.Records[1:] },
		"left": func(p *Page) {
			p.Records = append([]RecordDelta{{Record: p.Records[0].Record, Left: true}}, p.Records[1:]...)
		},
	}
	for name, change := range changes {
		q := *got
		change(&q)
		if VerifyPage(public, epoch, &q) {
			t.Errorf("accepted after a change of %s", name)
		}
	}
}

func TestSignAck(t *testing.T) {
	public, private := testKeys(1)
	epoch, replica := Token{7}, conflict.ReplicaID{3}
	a := &Ack{Through: 12, Received: testAt, Marks: []StreamMark{{Stream{"26734", "residents", Basic}, 9}}}
	if VerifyAck(public, epoch, replica, a) {
		t.Error("a receipt without a signature was accepted")
	}
	SignAck(private, epoch, replica, a)
	m, err := Decode(Encode(nil, a))
	if err != nil || !VerifyAck(public, epoch, replica, m.(*Ack)) {
		t.Errorf("the receipt that arrived was refused: %v", err)
	}
	if VerifyAck(public, epoch, conflict.ReplicaID{4}, a) || VerifyAck(public, Token{8}, replica, a) {
		t.Error("accepted for another replica or in another epoch")
	}
	b := *a
	b.Through++
	if VerifyAck(public, epoch, replica, &b) {
		t.Error("accepted after a change of what it covers")
	}
	// A receipt's signature is never a page's.
	p := &Page{Signature: a.Signature}
	if VerifyPage(public, epoch, p) {
		t.Error("a receipt's signature was accepted on a page")
	}
}
