package auth

import (
	"strings"
	"time"

	"wardbook/server/audit"
	"wardbook/server/store/sqlite"
)

// Mask returns an identity or phone number as screens show it: the first two
// and the last three characters, everything between as dots. Of a short value
// nothing is shown; spaces and punctuation are dropped first, so that a way of
// writing gives nothing away.
func Mask(number string) string {
	kept := []rune(strings.Map(func(r rune) rune {
		if r == ' ' || r == '.' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, number))
	const head, tail = 2, 3
	if len(kept) < head+tail+3 {
		return strings.Repeat("•", len(kept))
	}
	return string(kept[:head]) + strings.Repeat("•", len(kept)-head-tail) + string(kept[len(kept)-tail:])
}

// RecordReveal authorises that p sees fields of one record unmasked, and writes
// it into the audit log, in the transaction that reads the value. Fields are
// field codes; reason is a code of the screen's list, never free text.
func RecordReveal(tx *sqlite.Tx, p Principal, now time.Time, unit string, class Class, record string, fields []string, reason string) error {
	p, err := Current(tx, p, now)
	if err != nil {
		return err
	}
	if err := Can(p, Reveal, unit, class); err != nil {
		return err
	}
	if reason == "" {
		return ErrReason
	}
	return audit.Append(tx, now, audit.Entry{
		Actor: p.Account, Device: p.Device, Action: "record.reveal", Unit: unit, Subject: record,
		Detail: map[string]string{"fields": strings.Join(fields, ","), "reason": reason},
	})
}
