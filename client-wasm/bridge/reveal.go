package bridge

import (
	"context"
	"time"
)

type revealRequest struct {
	ID    string `json:"id"`
	Field string `json:"field"`
	Dot   string `json:"dot,omitempty"` // one of several values; "" is what is shown
}

type revealReply struct {
	Display string `json:"display"`
}

// reveal shows a masked field. That somebody looked is durable on the device
// before they see it, and is reported to the server's audit when it can be.
func (a *account) reveal(ctx context.Context, q revealRequest) (revealReply, error) {
	display, err := a.r.Reveal(ctx, q.ID, q.Field, q.Dot)
	if err != nil {
		return revealReply{}, err
	}
	signal(a.revealed)
	return revealReply{display}, nil
}

// reportEvery is how long a reveal that the server did not take waits.
const reportEvery = time.Minute

// reportReveals tells the server of reveals until the account is closed. One
// that the server does not take stays: it may be of a record that it has not
// received yet.
func (a *account) reportReveals() {
	for {
		if err := a.reportAll(a.life); err != nil && a.life.Err() == nil {
			a.b.cfg.Log("report reveals: " + err.Error())
		}
		select {
		case <-a.life.Done():
			return
		case <-a.revealed:
		case <-time.After(reportEvery):
		}
	}
}

func (a *account) reportAll(ctx context.Context) error {
	all, err := a.r.Reveals(ctx)
	if err != nil {
		return err
	}
	for _, v := range all {
		body := encode(map[string]any{"field": v.Field, "reason": "other"})
		_, err := a.request(ctx, "POST", "/api/v1/records/"+v.Record.String()+"/reveal", body)
		switch codeOf(err) {
		case "":
			if err := a.r.Reported(ctx, v.No); err != nil {
				return err
			}
		case errOffline.Code, errSignIn.Code, "cancelled":
			return nil // all others would meet the same
		}
	}
	return nil
}
