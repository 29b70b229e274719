package register

import (
	"strings"
	"unicode/utf8"
)

// Card is what the code printed on an identity card says. The code's text and
// the card's picture are sensitive data: keep these fields, not the text.
type Card struct {
	ID        string      // twelve digits
	OldID     string      // nine digits, or ""
	FullName  string      // as printed, NFC
	BirthDate PartialDate // always a full day
	Sex       string      // code of GIOI_TINH
	Address   string      // as printed, three levels on older cards
	Issued    PartialDate // zero if the card does not say
	Extra     []string    // what newer cards append, as it stands
}

// maxCard is well above the longest card seen.
const maxCard = 2 << 10

// ParseCard reads the text of a card's QR code. The error is a Problem:
// ErrFormat when it is no such text, ErrInvalid when a date in it is none.
func ParseCard(s string) (Card, error) {
	if len(s) > maxCard || !utf8.ValidString(s) {
		return Card{}, ErrFormat
	}
	fields := strings.Split(line(s), "|")
	if len(fields) < 7 {
		return Card{}, ErrFormat
	}
	for i, f := range fields {
		fields[i] = strings.TrimSpace(f)
	}
	var c Card
	var err error
	if c.ID, err = ParsePersonalID(fields[0]); err != nil {
		return Card{}, err
	}
	if fields[1] != "" {
		if c.OldID, err = ParseOldID(fields[1]); err != nil {
			return Card{}, err
		}
	}
	if c.FullName = fields[2]; c.FullName == "" {
		return Card{}, ErrFormat
	}
	if c.BirthDate, err = cardDate(fields[3]); err != nil {
		return Card{}, err
	}
	switch K3(fields[4]) {
	case "nam":
		c.Sex = "1"
	case "nu":
		c.Sex = "2"
	case "":
	default:
		return Card{}, ErrFormat
	}
	c.Address = fields[5]
	if fields[6] != "" {
		if c.Issued, err = cardDate(fields[6]); err != nil {
			return Card{}, err
		}
	}
	c.Extra = fields[7:]
	return c, nil
}

// cardDate reads ddMMyyyy.
func cardDate(s string) (PartialDate, error) {
	if len(s) != 8 || !isDigits(s) {
		return PartialDate{}, ErrFormat
	}
	d, err := ParseDate(s[:2] + "/" + s[2:4] + "/" + s[4:])
	if err == nil && d.Precision() != ByDay {
		err = ErrInvalid
	}
	return d, err
}
