package hub

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"

	"wardbook/server/hub/canonical"
	"wardbook/server/store/sqlite"
	"wardbook/sync/register"
)

// CountsRequest asks about a dataset.
type CountsRequest struct {
	ID string `path:"id" json:"-" maxlen:"40"`
	At string `query:"at" json:"-" maxlen:"65536" doc:"a cursor; absent: as of now"`
}

// CountsReply gives every unit of the city, in the order of their codes.
type CountsReply struct {
	Dataset         string      `json:"dataset"`
	UnitListVersion string      `json:"unit_list_version"`
	Units           []UnitCount `json:"units"`
}

// UnitCount is what stands approved in one unit.
type UnitCount struct {
	WardCode string `json:"ward_code"`
	WardName string `json:"ward_name"`
	Revision uint64 `json:"revision" doc:"the last one that is counted"`
	Count    int    `json:"count" doc:"records that stand approved"`
	SHA256   string `json:"sha256" doc:"over the lines RECORD_ID CONTENT_SHA256, sorted by their bytes, each ended by a line feed"`
}

// Counts says what stands approved per unit, as of a cursor, or now.
func (f *Feed) Counts(ctx context.Context, q CountsRequest) (CountsReply, error) {
	version, units := f.cfg.List()
	out := CountsReply{Dataset: q.ID, UnitListVersion: version}
	err := f.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		r, err := f.read(ctx, tx, q.ID, q.At)
		if err != nil {
			return pointed(err, map[string]string{ErrDataset.Code: "id", ErrCursor.Code: "at"})
		}
		last, err := r.t.Revisions(q.ID)
		if err != nil {
			return err
		}
		through := r.cursor.through
		if q.At == "" {
			through = last
		}
		for _, u := range withFormer(units, last) {
			unit := string(u.Code)
			if err := r.may(unit); err != nil {
				return err
			}
			count := UnitCount{WardCode: unit, WardName: u.NameVI, Revision: through[unit]}
			if count.Count, count.SHA256, err = f.count(r, unit, through[unit]); err != nil {
				return err
			}
			out.Units = append(out.Units, count)
		}
		return nil
	})
	return out, err
}

// withFormer returns the units of the list, and after them those that are in it
// no more, or wait to be assigned, and of which the hub was told something.
func withFormer(units []register.Unit, last map[string]uint64) []register.Unit {
	listed := map[string]bool{}
	for _, u := range units {
		listed[string(u.Code)] = true
	}
	for _, unit := range slices.Sorted(maps.Keys(last)) {
		if !listed[unit] {
			u := register.Unit{Code: register.UnitCode(unit), NameVI: unit}
			if old, ok := register.UnitByCode(u.Code); ok {
				u.NameVI = old.NameVI
			}
			units = append(units, u)
		}
	}
	return units
}

// count counts and hashes what stands approved in a unit as of a revision. The
// hashes of what was handed out are kept; only of the rest is the content read.
func (f *Feed) count(r *reading, unit string, through uint64) (int, string, error) {
	if through == 0 {
		return 0, canonical.CountHash(nil), nil
	}
	standing, err := r.t.Standing(unit, string(r.set.ID), through)
	if err != nil {
		return 0, "", err
	}
	known, err := r.t.ContentHashes(unit, string(r.set.ID))
	if err != nil {
		return 0, "", err
	}
	lines := make([]string, 0, len(standing))
	for _, a := range standing {
		if erased, err := r.t.Erased(a.Record); err != nil {
			return 0, "", err
		} else if erased {
			continue // as of a cursor before; its content is known to nobody
		}
		h, ok := known[a.Revision]
		if !ok {
			it, err := f.item(r.t, a, 0)
			if err != nil {
				return 0, "", err
			}
			h = mustHash(*it.ContentSHA256)
		}
		lines = append(lines, a.Record.String()+" "+hex.EncodeToString(h[:]))
	}
	return len(lines), canonical.CountHash(lines), nil
}
