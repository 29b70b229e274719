package record

import (
	"fmt"

	"wardbook/conflict"
)

// Blank returns c without what it says of the records that were erased by law,
// and how many edits that concerns; c itself if none. Dots, contexts, field ids
// and the record's id stay, so that counters and what others have seen stay true;
// every value is empty, and every element its place in the edit. To blank twice,
// or one record after another, gives the same changeset.
func (c Changeset) Blank(erased func(conflict.RecordID) bool) (Changeset, int) {
	n := 0
	for i := range c.Edits {
		if !erased(c.Edits[i].Record) {
			continue
		}
		if n == 0 {
			c.Edits = append([]Edit(nil), c.Edits...)
		}
		n++
		e := &c.Edits[i]
		e.Writes = append([]Write(nil), e.Writes...)
		for j := range e.Writes {
			e.Writes[j].Value = ""
			if e.Writes[j].Key.Elem != "" {
				// As wide as the last of them, so that they sort as they stand.
				e.Writes[j].Key.Elem = fmt.Sprintf("%04d", j)
			}
		}
	}
	return c, n
}
