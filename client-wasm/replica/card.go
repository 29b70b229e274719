package replica

import (
	"context"
	"errors"

	"wardbook/conflict"
	"wardbook/sync/register"
)

// CardReply is what an identity card says, in the fields of a register, and
// whether the device holds its bearer. The code's text is not kept anywhere.
type CardReply struct {
	Values      map[string]string `json:"values"`           // as stored, by field
	Record      string            `json:"record,omitempty"` // of the bearer, if the device holds one
	Title       string            `json:"title"`
	Others      int               `json:"others"` // further records under the same number
	Differences []CardDifference  `json:"differences"`
	Complete    bool              `json:"complete"` // all of the register was looked at
}

// CardDifference is a field that the card tells otherwise than the record.
type CardDifference struct {
	Field string `json:"field"`
	Here  string `json:"here"` // display text, masked where the field is
	Card  string `json:"card"`
	Value string `json:"value"` // the card's, as stored
}

// The fields of a register that a card may fill, by the names that registers
// of people use.
const (
	cardID      = "personal_id"
	cardOldID   = "old_id_9"
	cardName    = "full_name"
	cardBirth   = "dob"
	cardSex     = "sex"
	cardAddress = "permanent_address_old"
)

var errNoCard = &Failure{Code: "no_card", VI: "Đây không phải mã QR của thẻ căn cước.", EN: "this is not the QR code of an identity card"}

// Card reads the text of a card's QR code for a register, and looks for the
// bearer among the records of this device. It changes nothing.
func (r *Replica) Card(ctx context.Context, reg, text string) (CardReply, error) {
	card, err := register.ParseCard(text)
	if err != nil {
		return CardReply{}, errNoCard // without the text
	}
	list, err := r.List(ctx, ListRequest{Register: reg, Search: card.ID, Limit: maxLimit})
	if err != nil {
		return CardReply{}, err
	}
	older := ListReply{}
	if card.OldID != "" {
		if older, err = r.List(ctx, ListRequest{Register: reg, Search: card.OldID, Limit: maxLimit}); err != nil {
			return CardReply{}, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	def := r.definition(reg)
	if def == nil || def.FieldByName(cardID) == nil || def.FieldByName(cardName) == nil {
		return CardReply{}, noRegister(reg)
	}
	reply := CardReply{Values: map[string]string{}, Differences: []CardDifference{}, Complete: list.Complete}
	order := []string{cardID, cardOldID, cardName, cardBirth, cardSex, cardAddress}
	for i, typed := range []string{card.ID, card.OldID, card.FullName, card.BirthDate.String(), card.Sex, card.Address} {
		if typed == "" || def.FieldByName(order[i]) == nil {
			continue
		}
		value, err := normalise(def, order[i], typed)
		if err != nil {
			return CardReply{}, err
		}
		reply.Values[order[i]] = string(value)
	}
	bearer, err := r.bearer(ctx, list.Rows, cardID, reply.Values[cardID])
	if err == nil && len(bearer) == 0 {
		// A record of before the number: the old number, and no other new one.
		bearer, err = r.bearer(ctx, older.Rows, cardOldID, reply.Values[cardOldID])
	}
	if err != nil || len(bearer) == 0 {
		return reply, err
	}
	n := bearer[0]
	reply.Record, reply.Title, reply.Others = n.ID.String(), n.title(r.lang), len(bearer)-1
	for _, name := range order {
		value := conflict.Value(reply.Values[name])
		if value == "" || sameOnCard(name, string(n.values[name]), string(value)) {
			continue
		}
		reply.Differences = append(reply.Differences, CardDifference{Field: name, Here: register.Mask(def, name, n.values[name], r.lang),
			Card: register.Display(def, name, value, r.lang), Value: string(value)})
	}
	return reply, nil
}

// sameOnCard reports whether a card says what the record says. Names and
// addresses may be spelt with the tone on another letter, or in capitals.
func sameOnCard(name, here, card string) bool {
	if name == cardName || name == cardAddress {
		return register.K1(here) == register.K1(card)
	}
	return here == card
}

// bearer returns the records among rows whose field holds exactly that value.
func (r *Replica) bearer(ctx context.Context, rows []Row, name, value string) ([]*reading, error) {
	var found []*reading
	if value == "" {
		return nil, nil
	}
	for _, row := range rows {
		h, err := r.held(ctx, row.ID)
		if errors.Is(err, ErrNoRecord) {
			continue // it has left meanwhile
		}
		if err != nil {
			return nil, err
		}
		if n := r.read(&h); string(n.values[name]) == value && (name == cardID || n.values[cardID] == "") {
			found = append(found, n)
		}
	}
	return found, nil
}
