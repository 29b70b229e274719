package puller

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"wardbook/server/hub/canonical"
)

// holding is what the pages of a log add up to.
type holding struct {
	cursor  string
	schemas map[uint32]bool // versions that anything refers to
	units   map[string]*unit
	forget  map[string]bool // records that were erased by law, and of which the log may still hold something
}

// unit is what is held of one unit.
type unit struct {
	through uint64 // last revision taken
	live    map[string]version
}

// version is the content that stands for a record.
type version struct {
	hash   string
	offset int64 // of its line in the log
	length int
}

func newHolding() *holding {
	return &holding{schemas: map[uint32]bool{}, units: map[string]*unit{}, forget: map[string]bool{}}
}

// joins reports whether every item of p is either held or the next one of its
// unit. A gap cannot be mended by asking again.
func (h *holding) joins(p page) error {
	through := map[string]uint64{}
	for code, u := range h.units {
		through[code] = u.through
	}
	for _, it := range p.items {
		if it.Op == "schema" {
			continue
		}
		if it.Revision > through[it.WardCode]+1 {
			return fmt.Errorf("unit %s: revision %d follows %d: the server left some out", it.WardCode, it.Revision, through[it.WardCode])
		}
		through[it.WardCode] = max(through[it.WardCode], it.Revision)
	}
	return nil
}

// take adds a page that joins and stands at offset in the log. What is held
// already changes nothing.
func (h *holding) take(p page, offset int64) {
	for _, it := range p.items {
		h.schemas[it.SchemaVersion] = true
		if it.Op == "schema" {
			continue
		}
		if it.Erased && !it.Forgotten {
			h.forget[it.RecordID] = true
		}
		u := h.units[it.WardCode]
		if u == nil {
			u = &unit{live: map[string]version{}}
			h.units[it.WardCode] = u
		}
		if it.Revision <= u.through {
			continue
		}
		u.through = it.Revision
		if it.Op == "upsert" {
			u.live[it.RecordID] = version{it.ContentSHA256, offset + int64(it.offset), it.length}
		} else {
			delete(u.live, it.RecordID)
		}
	}
	h.cursor = *p.end.NextCursor
}

// count returns the count and the hash of what is held of a unit, and its last
// revision.
func (h *holding) count(code string) (records int, hash string, through uint64) {
	u := h.units[code]
	if u == nil {
		return 0, canonical.CountHash(nil), 0
	}
	lines := make([]string, 0, len(u.live))
	for id, v := range u.live {
		lines = append(lines, id+" "+v.hash)
	}
	return len(lines), canonical.CountHash(lines), u.through
}

// lines lists where the live records' lines stand, in the order of record ids.
func (h *holding) lines() []version {
	type live struct {
		id string
		version
	}
	var all []live
	for _, code := range slices.Sorted(maps.Keys(h.units)) {
		for id, v := range h.units[code].live {
			all = append(all, live{id, v})
		}
	}
	slices.SortFunc(all, func(a, b live) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.offset, b.offset)) })
	list := make([]version, len(all))
	for i, l := range all {
		list[i] = l.version
	}
	return list
}
