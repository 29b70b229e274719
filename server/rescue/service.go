package rescue

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	sealed "wardbook/sync/rescue"
)

// Config is what a Service needs.
type Config struct {
	Store  *sqlite.Store
	Auth   *auth.Service
	Ledger *ledger.Ledger
	Grew   func([]protocol.StreamMark) // tells open sessions
	Now    func() int64                // Unix milliseconds
}

// Service takes rescue files in. Its methods may be called from any goroutine.
type Service struct {
	cfg   Config
	turns chan struct{} // how many files are opened at once: each may take some hundred MB
}

// New returns the service.
func New(cfg Config) *Service { return &Service{cfg, make(chan struct{}, 1)} }

// Taken says what came of a file.
type Taken struct {
	Made        time.Time `json:"made_at" doc:"when the file was made, by its device's clock"`
	Changesets  int       `json:"changesets" doc:"in the file"`
	Applied     int       `json:"applied" doc:"taken now"`
	Quarantined int       `json:"quarantined" doc:"taken now, and kept aside for the supervisor"`
	Repeated    int       `json:"repeated" doc:"here already"`
}

// The refusals of the service's own. Codes are stable.
var (
	ErrGap = &rpc.Error{Kind: rpc.Conflict, Code: "rescue_gap", Field: "file", Vi: "Việc trước đó của thiết bị này chưa tới máy chủ. Hãy nộp tệp cũ hơn của thiết bị trước, rồi nộp lại tệp này.",
		En: "Earlier work of this device has not reached the server. Hand in its older file first, then this one again."}
	ErrForked = &rpc.Error{Kind: rpc.Conflict, Code: "rescue_forked", Field: "file", Vi: "Máy chủ đã nhận việc khác từ một bản sao của thiết bị này. Hãy mở ứng dụng trên chính thiết bị để gửi.",
		En: "The server has other work from a copy of this device. Open the app on the device itself to send this."}
	ErrUnvouched = &rpc.Error{Kind: rpc.Forbidden, Code: "late_unvouched", Field: "file", Vi: "Việc viết trong lúc máy bị khóa chỉ được nhận sau khi cán bộ đăng nhập trên chính máy đó.",
		En: "What was written while a device was locked is taken only after its officer has signed in on that device."}
	ErrUnknownDevice = &rpc.Error{Kind: rpc.NotFound, Code: "rescue_device", Field: "file", Vi: "Máy chủ không biết thiết bị đã tạo tệp này.", En: "The server does not know the device that made this file."}
)

// portion is how many changesets are taken in one transaction: others have to
// get their turn between.
const portion = 500

// Take takes a file in. bearer is who hands it in, the zero Principal for
// nobody in particular. What was taken before an error stays taken; the file
// may be handed in again.
func (s *Service) Take(ctx context.Context, bearer auth.Principal, file []byte) (Taken, error) {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return Taken{}, ctx.Err()
	}
	f, err := s.cfg.Auth.OpenRescue(file)
	if err != nil {
		return Taken{}, err
	}
	taken := Taken{Made: time.UnixMilli(f.Made).UTC(), Changesets: len(f.Changesets)}
	rest := make([]ledger.Rescued, len(f.Changesets))
	for i, c := range f.Changesets {
		rest[i] = ledger.Rescued(c)
	}
	for len(rest) > 0 {
		n := min(portion, len(rest))
		if err := s.takeSome(ctx, bearer, f, rest[:n], &taken); err != nil {
			return taken, err
		}
		rest = rest[n:]
	}
	return taken, nil
}

func (s *Service) takeSome(ctx context.Context, bearer auth.Principal, f *sealed.File, some []ledger.Rescued, taken *Taken) error {
	var out ledger.Outcome
	err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		p, closed, err := auth.OfDevice(tx, store.DeviceID(f.Device))
		if errors.Is(err, store.ErrNotFound) {
			return ErrUnknownDevice
		}
		if err != nil {
			return err
		}
		// Whoever holds a locked device can write on it. Of its officer's making it is
		// when they have signed in there; of a device that is closed all is kept aside.
		if f.Late && !closed && (bearer.Account != p.Account || bearer.Device != p.Device) {
			return ErrUnvouched
		}
		author := ledger.Author{Account: p.Name, Device: string(p.Device), Unit: p.Unit, Sensitive: p.Sensitive, Revoked: closed}
		out, err = s.cfg.Ledger.Rescue(sqlite.LedgerOf(tx), author, f.Replica, some)
		var refused *protocol.Error
		if errors.As(err, &refused) && refused.Code == protocol.Forbidden {
			return rpc.ErrForbidden.Because(err)
		}
		if err != nil || out.Applied+len(out.Refusals) == 0 {
			return err
		}
		detail := map[string]string{"applied": fmt.Sprint(out.Applied), "quarantined": fmt.Sprint(len(out.Refusals))}
		if bearer.Account != "" {
			detail["bearer"] = string(bearer.Account)
		}
		return audit.Append(tx, time.UnixMilli(s.cfg.Now()), audit.Entry{Actor: p.Account, Device: p.Device, Action: "rescue.take",
			Unit: p.Unit, Subject: f.Replica.String(), Detail: detail})
	})
	if err != nil {
		return err
	}
	if out.Forked != nil {
		return ErrForked // the refusals that come with it are those of the copy
	}
	s.cfg.Grew(out.Grew)
	taken.Applied += out.Applied
	taken.Quarantined += len(out.Refusals)
	taken.Repeated += out.Repeats
	if out.Applied+len(out.Refusals)+out.Repeats < len(some) {
		return ErrGap
	}
	return nil
}

type takeRequest struct {
	File string `json:"file" doc:"the file, in base64"`
}

// maxBody holds the largest file in base64, and its envelope.
const maxBody = sealed.MaxFile/3*4 + 1024

// Routes are the service's requests.
func (s *Service) Routes() []rpc.Route {
	take := func(ctx context.Context, r takeRequest) (Taken, error) {
		file, err := base64.StdEncoding.DecodeString(r.File)
		if err != nil {
			return Taken{}, auth.ErrNotRescue.Because(err)
		}
		return s.Take(ctx, auth.Principal{}, file)
	}
	vouch := func(ctx context.Context, r takeRequest) (Taken, error) {
		p, err := auth.FromContext(ctx)
		if err != nil {
			return Taken{}, err
		}
		file, err := base64.StdEncoding.DecodeString(r.File)
		if err != nil {
			return Taken{}, auth.ErrNotRescue.Because(err)
		}
		return s.Take(ctx, p, file)
	}
	route := rpc.New("POST", "/api/v1/rescue", "Hand in the unsent work of a device, from a rescue file", take, rpc.Options{Limits: rpc.Limits{Body: maxBody}}).Open()
	late := rpc.New("POST", "/api/v1/rescue/late", "Hand in what was written on this device while it was locked, as its officer", vouch, rpc.Options{Limits: rpc.Limits{Body: maxBody}})
	route.Timeout, late.Timeout = 2*time.Minute, 2*time.Minute
	// Anybody may send the largest body there is: few are read at once, the
	// others wait outside with nothing in memory.
	doors, inside := make(chan struct{}, 4), route.Handler
	route.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case doors <- struct{}{}:
			defer func() { <-doors }()
			inside.ServeHTTP(w, r)
		case <-r.Context().Done():
			rpc.WriteError(r.Context(), w, r.Context().Err())
		}
	})
	return []rpc.Route{route, late}
}
