package review

import (
	"context"

	"wardbook/conflict"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
)

// BatchRecord names a record as it was on the screen.
type BatchRecord struct {
	ID     string `json:"id"`
	Digest string `json:"digest" maxlen:"20000"`
}

// BatchRequest approves many records.
type BatchRequest struct {
	Records []BatchRecord `json:"records" doc:"at most 200"`
}

// BatchApproved is a record that a batch approved.
type BatchApproved struct {
	ID       string `json:"id"`
	Revision uint64 `json:"revision"`
}

// BatchLeft is a record that a batch left for a person, and why.
type BatchLeft struct {
	ID  string   `json:"id"`
	Why []string `json:"why"`
}

// BatchResponse tells what became of each record.
type BatchResponse struct {
	Approved []BatchApproved `json:"approved"`
	Left     []BatchLeft     `json:"left"`
}

// BatchMost bounds the records of one batch.
const BatchMost = 200

// Batch approves each record by itself, in a transaction of its own, and leaves
// out whatever wants a person's look. Rights are asked for each record anew.
func (s *Service) Batch(ctx context.Context, req BatchRequest) (BatchResponse, error) {
	out := BatchResponse{Approved: []BatchApproved{}, Left: []BatchLeft{}}
	if len(req.Records) == 0 || len(req.Records) > BatchMost {
		return out, rpc.ErrInvalid.At("records")
	}
	odd, err := s.unusual(ctx)
	if err != nil {
		return out, err
	}
	done := map[string]bool{}
	for _, r := range req.Records {
		if done[r.ID] {
			continue
		}
		done[r.ID] = true
		revision, why, err := s.batchOne(ctx, r, odd)
		if err != nil {
			code := rpc.Public(err)
			switch {
			case len(out.Approved) == 0 && len(out.Left) == 0 && code.Kind != rpc.NotFound:
				return out, err // nothing was done yet: the whole request is refused
			case code.Kind == rpc.NotFound:
				why = []string{whyNotFound}
			case code.Kind == rpc.Unauthenticated, code.Kind == rpc.Forbidden:
				why = []string{whyForbidden}
			default:
				why = []string{whyFailed} // what was approved before stays approved and is told
			}
		}
		if len(why) > 0 {
			out.Left = append(out.Left, BatchLeft{ID: r.ID, Why: why})
			continue
		}
		out.Approved = append(out.Approved, BatchApproved{ID: r.ID, Revision: revision})
	}
	return out, nil
}

// unusual tells what is unusual of all that waits, as the caller sees it: once
// for a batch, whose approvals would shift the figures.
func (s *Service) unusual(ctx context.Context) (odd map[conflict.RecordID][]Reason, err error) {
	err = s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, "")
		if err != nil {
			return err
		}
		t, err := k.judge()
		odd = t.unusual()
		return err
	})
	return odd, err
}

func (s *Service) batchOne(ctx context.Context, r BatchRecord, odd map[conflict.RecordID][]Reason) (revision uint64, why []string, err error) {
	err = s.decide(ctx, r.ID, "", func(k *desk, d *dossier) error {
		if !d.marks.same(parseMarks(r.Digest)) {
			why = append(why, whyChanged)
		}
		reasons, _ := k.reasonsFor(d, odd)
		if why = append(why, codesOf(reasons)...); len(why) > 0 {
			return nil
		}
		list, err := d.pick(nil)
		if err != nil {
			return err
		}
		if _, err := d.mayApprove(list, k.p.Name, false); err != nil {
			return err // the reasons have said that it passes
		}
		row, err := k.perform(d, act{decision: record.Approved, fields: namesOf(list), approve: d.keysOf(list)})
		revision = row.Revision
		return err
	})
	return revision, why, err
}
