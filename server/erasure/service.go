package erasure

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
)

// Config is what a Service is made of.
type Config struct {
	Store  *sqlite.Store
	Ledger *ledger.Ledger
	List   *List
	// StepUp makes sure that whoever acts is who signed in.
	StepUp func(ctx context.Context, p auth.Principal, password string, address netip.Addr) error
	// Erased is told, once it is durable, how far streams have moved by an erasure, and
	// that records were erased, for the sessions of all devices. It must be quick. Nil
	// tells nobody.
	Erased func(grew []protocol.StreamMark)
	Random io.Reader    // nil: crypto/rand
	Log    *slog.Logger // nil: discards
}

// Service takes and carries out requests to erase records by law. Every call takes
// the caller from the context (auth.NewContext) and asks the authoriser in the
// transaction that acts. It is safe for concurrent use.
type Service struct {
	cfg  Config
	poke chan struct{} // something was erased

	step func(name string) error // tests stop the program at one
}

// New returns the service over c.
func New(c Config) *Service {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Erased == nil {
		c.Erased = func([]protocol.StreamMark) {}
	}
	return &Service{cfg: c, poke: make(chan struct{}, 1), step: func(string) error { return nil }}
}

// lapse is how long a request waits for a word.
const lapse = 30 * 24 * time.Hour

// What a request may be refused with, beside the errors that every service shares.
var (
	ErrGround    = &rpc.Error{Kind: rpc.Invalid, Code: "erasure_ground", Field: "ground", Vi: "Hãy chọn căn cứ pháp lý.", En: "Choose the legal ground."}
	ErrReason    = &rpc.Error{Kind: rpc.Invalid, Code: "reason_required", Field: "reason", Vi: "Cần nêu lý do.", En: "A reason is needed."}
	ErrWhy       = &rpc.Error{Kind: rpc.Invalid, Code: "reason_required", Field: "why", Vi: "Hãy chọn lý do từ chối.", En: "Choose why it is declined."}
	ErrAsked     = &rpc.Error{Kind: rpc.Conflict, Code: "erasure_asked", Field: "record", Vi: "Đã có yêu cầu xóa hồ sơ này theo luật.", En: "Erasing this record was asked for already."}
	ErrClosed    = &rpc.Error{Kind: rpc.Conflict, Code: "erasure_closed", Vi: "Yêu cầu này không còn chờ quyết định.", En: "This request does not wait for a decision any more."}
	ErrOneself   = &rpc.Error{Kind: rpc.Forbidden, Code: "erasure_own", Vi: "Bạn là người yêu cầu, nên người khác phải quyết định.", En: "You asked for this yourself, so somebody else must decide."}
	ErrOthers    = &rpc.Error{Kind: rpc.Forbidden, Code: "erasure_others", Vi: "Chỉ người đã yêu cầu mới rút lại được.", En: "Only the person who asked can take it back."}
	ErrElsewhere = &rpc.Error{Kind: rpc.Forbidden, Code: "erasure_elsewhere", Vi: "Hồ sơ đã chuyển sang phường khác; người giám sát ở đó hoặc quản trị viên quyết định.", En: "The record is another ward's by now; a supervisor there or an administrator decides."}
	ErrBegun     = &rpc.Error{Kind: rpc.Conflict, Code: "erasure_begun", Vi: "Việc xóa đã bắt đầu và không dừng lại được. Hãy xác nhận lại để hoàn tất.", En: "Erasing has begun and cannot be stopped. Confirm once more to finish it."}
)

// Grounds are the legal grounds. Stored and sent; never changed.
const Grounds = "subject_request,consent_withdrawn,unlawful,order,ended"

// Whys are the reasons for which a request is declined. They are codes, for the audit log
// keeps them for ever and may name no person. Stored and sent; never changed.
const Whys = "must_keep,ground,identity,wrong_record,edit,talk"

// AskRequest asks that a record be erased.
type AskRequest struct {
	Record   string `json:"record" maxlen:"64" doc:"id of a record of the caller's unit"`
	Ground   string `json:"ground" enum:"subject_request,consent_withdrawn,unlawful,order,ended" doc:"the person asked; consent was taken back; it should never have been kept; an authority ordered it; its purpose or time has ended"`
	Reason   string `json:"reason" maxlen:"2000" doc:"goes with the record"`
	Password string `json:"password" maxlen:"200" doc:"the caller's; may be empty within 15 minutes of signing in"`
}

// Request is a request and what became of it.
type Request struct {
	ID       string             `json:"id"`
	Record   string             `json:"record"`
	Register string             `json:"register" doc:"empty for a record that stands in quarantine alone"`
	Unit     string             `json:"unit"`
	Ground   string             `json:"ground" enum:"subject_request,consent_withdrawn,unlawful,order,ended"`
	Reason   string             `json:"reason" doc:"empty once the record is erased, and for administrators"`
	By       string             `json:"by" doc:"account that asked"`
	At       int64              `json:"at" doc:"server clock"`
	Lapses   int64              `json:"lapses" doc:"when it lapses if nobody decides; server clock"`
	State    store.ErasureState `json:"state" enum:"open,done,declined,withdrawn,lapsed"`
	ClosedBy string             `json:"closed_by" doc:"account that decided; empty if nobody has"`
	ClosedAt int64              `json:"closed_at" doc:"server clock, 0 if open"`
	Why      string             `json:"why" enum:",must_keep,ground,identity,wrong_record,edit,talk" doc:"why it was declined"`
	Own      bool               `json:"own" doc:"the caller asked"`
	Told     int                `json:"told" doc:"of an erased record: devices of the unit that have let go of it"`
	Devices  int                `json:"devices" doc:"of an erased record: devices of the unit"`
	Waits    []Waiting          `json:"waits" doc:"of an erased record: devices that have not let go of it, those heard last first; at most 20, of units that the caller may know of"`
	Hub      string             `json:"hub" enum:"never,waiting,acknowledged" doc:"of an erased record: whether the hub ever held it, and has acknowledged that it is to let go of it"`
	File     string             `json:"file" enum:"due,clean" doc:"of an erased record: whether the database's file is still to be written anew"`
}

// Waiting is a device that still has to let go of an erased record.
type Waiting struct {
	Account string `json:"account"`
	Name    string `json:"name" doc:"what its officer is called"`
	Label   string `json:"label" doc:"what the device said of itself when it signed in"`
	Stores  int    `json:"stores" doc:"how many of those that devices counts are on it"`
	Seen    int64  `json:"seen" doc:"when it was heard last; server clock"`
}

// ListResponse lists requests.
type ListResponse struct {
	Open   []Request `json:"open" doc:"those that wait for a decision, oldest first"`
	Closed []Request `json:"closed" doc:"the others, the latest first"`
	More   bool      `json:"more" doc:"there are more than are listed"`
}

// DecideRequest decides about a request.
type DecideRequest struct {
	ID       string `path:"id" json:"-" maxlen:"64"`
	Password string `json:"password" maxlen:"200" doc:"the caller's; may be empty within 15 minutes of signing in"`
}

// DeclineRequest refuses a request.
type DeclineRequest struct {
	ID  string `path:"id" json:"-" maxlen:"64"`
	Why string `json:"why" enum:"must_keep,ground,identity,wrong_record,edit,talk" doc:"a law demands that it be kept; the ground is wrong or not enough; who asked could not be verified; it is about another record; correcting or deleting is enough; to be talked over first"`
}

// TargetRequest names a request.
type TargetRequest struct {
	ID string `path:"id" json:"-" maxlen:"64"`
}

// visit is one caller at work in one transaction.
type visit struct {
	s   *Service
	tx  *sqlite.Tx
	l   *sqlite.Ledger
	p   auth.Principal
	now time.Time

	known map[string][]store.DeviceState // what devices has read, by unit
}

func (s *Service) visit(ctx context.Context, tx *sqlite.Tx) (*visit, error) {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	v := &visit{s: s, tx: tx, l: sqlite.LedgerOf(tx), now: s.cfg.Store.Now()}
	v.p, err = auth.Current(tx, p, v.now)
	return v, err
}

// note writes into the audit log what was done about a record.
func (v *visit) note(action string, r store.ErasureRequest, detail map[string]string) error {
	if detail == nil {
		detail = map[string]string{}
	}
	detail["request"] = r.ID
	return audit.Append(v.tx, v.now, audit.Entry{Actor: v.p.Account, Device: v.p.Device, Action: action, Unit: r.Unit, Subject: r.Record.String(), Detail: detail})
}

// Ask asks that a record of the caller's unit be erased.
func (s *Service) Ask(ctx context.Context, req AskRequest) (Request, error) {
	if !slices.Contains(strings.Split(Grounds, ","), req.Ground) {
		return Request{}, ErrGround
	}
	reason := strings.TrimSpace(req.Reason)
	if reason == "" {
		return Request{}, ErrReason
	}
	id, err := conflict.ParseDot(req.Record)
	if err != nil {
		return Request{}, rpc.ErrNotFound.At("record").Because(err)
	}
	if err := s.stepUp(ctx, req.Password); err != nil {
		return Request{}, err
	}
	name := make([]byte, 16)
	if _, err := io.ReadFull(s.cfg.Random, name); err != nil {
		return Request{}, err
	}
	var out Request
	err = s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		v, err := s.visit(ctx, tx)
		if err != nil {
			return err
		}
		r := store.ErasureRequest{ID: hex.EncodeToString(name), Record: id, Ground: req.Ground, Reason: reason, By: v.p.Name, At: v.now.UnixMilli(), State: store.ErasureOpen}
		if r.Register, r.Unit, err = v.home(id); err != nil {
			return err
		}
		if err := v.lapse(); err != nil {
			return err
		}
		before, err := v.l.ErasureRequestsOf(id)
		if err != nil {
			return err
		}
		for _, b := range before {
			if b.State == store.ErasureOpen {
				return ErrAsked
			}
		}
		if err := v.l.PutErasureRequest(&r); err != nil {
			return err
		}
		if err := v.note("erasure.ask", r, map[string]string{"ground": r.Ground}); err != nil {
			return err
		}
		out, err = v.show(r)
		return err
	})
	return out, err
}

func (s *Service) stepUp(ctx context.Context, password string) error {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return err
	}
	return s.cfg.StepUp(ctx, p, password, rpc.InfoFrom(ctx).Address)
}

// home returns register and unit of a record that the caller may decide about as its
// supervisor. One that stands in quarantine alone, with what creates it or by its
// creator's own device, is of the unit that looks for it there: an id that somebody
// names is no record. That a record is another unit's, and that there is none, look the same.
func (v *visit) home(id conflict.RecordID) (register, unit string, err error) {
	erased, err := v.l.Erased(id)
	if err != nil {
		return "", "", err
	}
	row, ok, err := v.l.Record(id)
	switch {
	case err != nil:
		return "", "", err
	case erased:
	case ok:
		if err := auth.Can(v.p, auth.Review, row.Unit, auth.Basic); err != nil {
			return "", "", rpc.ErrNotFound.At("record").Because(err)
		}
		return row.Register, row.Unit, nil
	default:
		aside, err := v.l.Touching(id)
		if err != nil {
			return "", "", err
		}
		for _, in := range aside {
			unit, own, err := v.aside(in, id)
			if err != nil {
				return "", "", err
			}
			if own && auth.Can(v.p, auth.Review, unit, auth.Basic) == nil {
				return "", unit, nil
			}
		}
	}
	return "", "", rpc.ErrNotFound.At("record")
}

// aside returns in which unit a changeset waits in quarantine, and whether it is of
// the replica that made the record's id.
func (v *visit) aside(in ledger.Intake, id conflict.RecordID) (unit string, own bool, err error) {
	r, ok, err := v.l.Replica(id.Replica)
	if err != nil || !ok || r.No != in.Replica {
		return "", false, err
	}
	entries, err := v.l.Quarantined(in.Replica)
	if err != nil {
		return "", false, err
	}
	i := slices.IndexFunc(entries, func(q ledger.Quarantine) bool { return q.Counter == in.Counter })
	if i < 0 {
		return "", false, nil
	}
	return entries[i].Unit, true, nil
}

// reviews reports whether the caller is a supervisor of where the record is now.
func (v *visit) reviews(r *store.ErasureRequest) (bool, error) {
	if auth.Can(v.p, auth.Review, r.Unit, auth.Basic) == nil {
		return true, nil
	}
	row, ok, err := v.l.Record(r.Record)
	return err == nil && ok && auth.Can(v.p, auth.Review, row.Unit, auth.Basic) == nil, err
}

// open returns a request that waits, if the caller may know of it.
func (v *visit) open(id string) (store.ErasureRequest, error) {
	if err := v.lapse(); err != nil {
		return store.ErasureRequest{}, err
	}
	r, err := v.l.ErasureRequest(id)
	if errors.Is(err, store.ErrNotFound) {
		return r, rpc.ErrNotFound.Because(err)
	}
	if err != nil {
		return r, err
	}
	mine, err := v.reviews(&r)
	if err != nil {
		return r, err
	}
	if err := auth.Can(v.p, auth.Administer, "", 0); !mine && err != nil {
		return r, rpc.ErrNotFound.Because(err)
	}
	if r.State != store.ErasureOpen {
		return r, ErrClosed
	}
	return r, nil
}

// Requests lists the requests of the caller's unit; an administrator sees all.
func (s *Service) Requests(ctx context.Context, _ rpc.None) (ListResponse, error) {
	const most = 200
	out := ListResponse{Open: []Request{}, Closed: []Request{}}
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		v, err := s.visit(ctx, tx)
		if err != nil {
			return err
		}
		admin := auth.Can(v.p, auth.Administer, "", 0) == nil
		if err := auth.Can(v.p, auth.Review, v.p.Unit, auth.Basic); err != nil && !admin {
			return err
		}
		open, err := v.l.OpenErasureRequests()
		if err != nil {
			return err
		}
		closed, err := v.l.ClosedErasureRequests(10 * most)
		if err != nil {
			return err
		}
		add := func(list *[]Request, requests []store.ErasureRequest) error {
			for _, r := range requests {
				mine, err := v.reviews(&r)
				if err != nil {
					return err
				}
				if !mine && !admin {
					continue
				}
				if len(*list) == most {
					out.More = true
					return nil
				}
				shown, err := v.show(r)
				if err != nil {
					return err
				}
				*list = append(*list, shown)
			}
			return nil
		}
		return errors.Join(add(&out.Open, open), add(&out.Closed, closed))
	})
	return out, err
}

// show returns a request as the caller may see it.
func (v *visit) show(r store.ErasureRequest) (Request, error) {
	out := Request{ID: r.ID, Record: r.Record.String(), Register: r.Register, Unit: r.Unit, Ground: r.Ground, Reason: r.Reason, By: r.By, At: r.At,
		Lapses: r.At + lapse.Milliseconds(), State: r.State, ClosedBy: r.ClosedBy, ClosedAt: r.ClosedAt, Own: r.By == v.p.Name, Hub: "never", File: "clean"}
	if r.State == store.ErasureOpen && out.Lapses < v.now.UnixMilli() {
		out.State, out.ClosedAt = store.ErasureLapsed, out.Lapses
	}
	out.Waits = []Waiting{}
	if r.State == store.ErasureDeclined {
		why, err := v.tx.Meta(whyDeclined + r.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return out, err
		}
		out.Why = why
	}
	mine, err := v.reviews(&r)
	if err != nil {
		return out, err
	}
	if !mine {
		out.Reason = "" // in which people name persons: administrators see none
	}
	if r.State != store.ErasureDone {
		return out, nil
	}
	if out.Told, out.Devices, err = v.l.DevicesTold(&ledger.Erasure{Number: r.Number, Record: r.Record, Unit: r.Unit}); err != nil {
		return out, err
	}
	if out.Told < out.Devices {
		if out.Waits, err = v.waits(r); err != nil {
			return out, err
		}
	}
	acknowledged, all, err := v.l.Retractions(r.Record)
	if err != nil {
		return out, err
	}
	switch {
	case all > 0 && acknowledged == all:
		out.Hub = "acknowledged"
	case all > 0:
		out.Hub = "waiting"
	}
	due, err := v.tx.RewriteDue()
	if r.Number <= due {
		out.File = "due"
	}
	return out, err
}

// Confirm lets what another asked for be done: when it returns, nothing that the
// database answers with holds the record any more, nor will a restored backup.
func (s *Service) Confirm(ctx context.Context, req DecideRequest) (Request, error) {
	if err := s.stepUp(ctx, req.Password); err != nil {
		return Request{}, err
	}
	var out Request
	err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		v, err := s.visit(ctx, tx)
		if err != nil {
			return err
		}
		r, err := v.open(req.ID)
		if err != nil {
			return err
		}
		if r.By == v.p.Name {
			return ErrOneself
		}
		// Whoever lets it be destroyed answers for where it is now, not where it was when
		// somebody asked.
		if row, ok, err := v.l.Record(r.Record); err != nil {
			return err
		} else if ok && auth.Can(v.p, auth.Review, row.Unit, auth.Basic) != nil && auth.Can(v.p, auth.Administer, "", 0) != nil {
			return ErrElsewhere
		}
		there, err := v.l.LastErasure()
		if err != nil {
			return err
		}
		e, begun := s.cfg.List.Find(r.ID)
		if !begun {
			e = Entry{Record: r.Record, Register: r.Register, Unit: r.Unit, At: v.now.UnixMilli(), Request: r.ID, Ground: r.Ground, AskedBy: r.By, By: v.p.Name}
			if row, ok, err := v.l.Record(r.Record); err != nil {
				return err
			} else if ok {
				e.Register, e.Unit = row.Register, row.Unit
			}
			// Durable before the transaction is: from here on it will be erased, whatever
			// happens to this program.
			if e.Number, err = s.cfg.List.Append(e, there); err != nil {
				return err
			}
		}
		if err := s.step("listed"); err != nil {
			return err
		}
		// With what the list names already, and a transaction that was lost did not do:
		// devices are told of everything behind the last number that they know.
		var grew []protocol.StreamMark
		for _, listed := range s.cfg.List.Entries() {
			if listed.Number <= there {
				continue
			}
			more, err := carry(tx, s.cfg.Ledger, listed)
			if err != nil {
				return err
			}
			grew = append(grew, more...)
		}
		if err := v.note("erasure.confirm", r, map[string]string{"number": strconv.FormatUint(e.Number, 10)}); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.cfg.Erased(grew) })
		if r, err = v.l.ErasureRequest(r.ID); err != nil {
			return err
		}
		out, err = v.show(r)
		return err
	})
	if err != nil {
		return Request{}, err
	}
	if err := s.step("committed"); err != nil {
		return Request{}, err
	}
	if due, err := s.rewrite(ctx, false); err != nil {
		s.cfg.Log.Warn("the database's file is still to be written anew after an erasure", "error", err)
	} else if !due {
		out.File = "clean"
	}
	select {
	case s.poke <- struct{}{}:
	default:
	}
	return out, nil
}

// waits lists the devices that have not let go of what r had erased.
func (v *visit) waits(r store.ErasureRequest) ([]Waiting, error) {
	const page, most = 200, 20
	units := []string{r.Unit}
	decisions, err := v.l.Approvals(r.Record)
	if err != nil {
		return nil, err
	}
	for _, a := range decisions { // it may have been sent from unit to unit
		if !slices.Contains(units, a.Unit) {
			units = append(units, a.Unit)
		}
	}
	list := []Waiting{}
	for _, unit := range units {
		if auth.Can(v.p, auth.Review, unit, auth.Basic) != nil && auth.Can(v.p, auth.Administer, "", 0) != nil {
			continue
		}
		devices, err := v.devices(unit, page)
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			replicas, err := v.l.ReplicasOf(d.AccountName, string(d.ID))
			if err != nil {
				return nil, err
			}
			stores := 0
			for _, p := range replicas {
				if p.RetiredAt == 0 && p.VanishedAt == 0 && p.Erasures < r.Number {
					stores++
				}
			}
			if stores > 0 {
				list = append(list, Waiting{Account: d.AccountName, Name: d.Display, Label: d.Label, Stores: stores, Seen: d.LastSeenAt.UnixMilli()})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Waiting) int { return cmp.Compare(b.Seen, a.Seen) })
	return list[:min(len(list), most)], nil
}

// devices lists the devices of a unit that may still speak to the server; once in a
// transaction, for many requests ask for the same.
func (v *visit) devices(unit string, page int) ([]store.DeviceState, error) {
	if list, ok := v.known[unit]; ok {
		return list, nil
	}
	var list []store.DeviceState
	var after store.DeviceID
	for {
		states, err := v.tx.DeviceStates("", unit, after, page)
		if err != nil {
			return nil, err
		}
		for _, d := range states {
			if !d.Revoked() {
				list = append(list, d)
			}
			after = d.ID
		}
		if len(states) < page {
			break
		}
	}
	if v.known == nil {
		v.known = map[string][]store.DeviceState{}
	}
	v.known[unit] = list
	return list, nil
}

// whyDeclined begins the row of the table meta that says why a request was declined; its
// id follows.
const whyDeclined = "erasure_declined/"

// Decline refuses what another asked for, without a word. People say why: DeclineBecause.
func (s *Service) Decline(ctx context.Context, req TargetRequest) (Request, error) {
	return s.decline(ctx, DeclineRequest{ID: req.ID})
}

// DeclineBecause refuses what another asked for, and says why to who asked and to the
// audit log.
func (s *Service) DeclineBecause(ctx context.Context, req DeclineRequest) (Request, error) {
	if !slices.Contains(strings.Split(Whys, ","), req.Why) {
		return Request{}, ErrWhy
	}
	return s.decline(ctx, req)
}

func (s *Service) decline(ctx context.Context, req DeclineRequest) (Request, error) {
	detail := map[string]string{}
	if req.Why != "" {
		detail["why"] = req.Why
	}
	return s.close(ctx, req.ID, store.ErasureDeclined, "erasure.decline", detail, func(v *visit, r store.ErasureRequest) error {
		if r.By == v.p.Name {
			return ErrOneself
		}
		if req.Why == "" {
			return nil
		}
		return v.tx.SetMeta(whyDeclined+r.ID, req.Why)
	})
}

// Withdraw takes back what one has asked for oneself.
func (s *Service) Withdraw(ctx context.Context, req TargetRequest) (Request, error) {
	return s.close(ctx, req.ID, store.ErasureWithdrawn, "erasure.withdraw", nil, func(v *visit, r store.ErasureRequest) error {
		if r.By != v.p.Name {
			return ErrOthers
		}
		return nil
	})
}

func (s *Service) close(ctx context.Context, id string, state store.ErasureState, action string, detail map[string]string, may func(*visit, store.ErasureRequest) error) (Request, error) {
	var out Request
	err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		v, err := s.visit(ctx, tx)
		if err != nil {
			return err
		}
		r, err := v.open(id)
		if err != nil {
			return err
		}
		if err := may(v, r); err != nil {
			return err
		}
		if _, begun := s.cfg.List.Find(r.ID); begun {
			return ErrBegun
		}
		r.State, r.ClosedBy, r.ClosedAt = state, v.p.Name, v.now.UnixMilli()
		if err := v.l.PutErasureRequest(&r); err != nil {
			return err
		}
		if err := v.note(action, r, detail); err != nil {
			return err
		}
		out, err = v.show(r)
		return err
	})
	return out, err
}

// lapse closes the requests about which nobody said anything for too long.
func (v *visit) lapse() error {
	open, err := v.l.OpenErasureRequests()
	if err != nil {
		return err
	}
	for _, r := range open {
		if _, begun := v.s.cfg.List.Find(r.ID); begun || v.now.UnixMilli() <= r.At+lapse.Milliseconds() {
			continue
		}
		r.State, r.ClosedAt = store.ErasureLapsed, v.now.UnixMilli()
		if err := v.l.PutErasureRequest(&r); err != nil {
			return err
		}
		if err := audit.Append(v.tx, v.now, audit.Entry{Action: "erasure.lapse", Unit: r.Unit, Subject: r.Record.String(), Detail: map[string]string{"request": r.ID}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) rewrite(ctx context.Context, large bool) (due bool, err error) {
	return Rewrite(ctx, s.cfg.Store, func() (int64, error) {
		info, err := os.Stat(s.cfg.Store.Path())
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}, large)
}

// Run does the service's upkeep until ctx ends: it lets requests lapse, and writes the
// database's file anew when there is reason to.
func (s *Service) Run(ctx context.Context) {
	for {
		err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
			return (&visit{s: s, tx: tx, l: sqlite.LedgerOf(tx), now: s.cfg.Store.Now()}).lapse()
		})
		due, e := s.rewrite(ctx, night(s.cfg.Store.Now()))
		if err = errors.Join(err, e); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("upkeep of erasures", "error", err)
		}
		wait := time.Hour
		if due {
			wait = 10 * time.Minute
		}
		select {
		case <-ctx.Done():
			return
		case <-s.poke:
		case <-time.After(wait):
		}
	}
}

// Routes returns the service's part of the API.
func (s *Service) Routes() []rpc.Route {
	supervisor, admin := string(store.RoleSupervisor), string(store.RoleAdmin)
	small := rpc.Options{Limits: rpc.Limits{Body: 16 << 10}}
	return []rpc.Route{
		rpc.New("GET", "/api/v1/erasures", "Requests to erase records by law, and what became of them", s.Requests, small).For(supervisor, admin),
		rpc.New("POST", "/api/v1/erasures", "Ask that a record be erased by law", s.Ask, small).For(supervisor),
		rpc.New("POST", "/api/v1/erasures/{id}/confirm", "Let a record be erased by law that another asked for", s.Confirm, small).For(supervisor, admin),
		rpc.New("POST", "/api/v1/erasures/{id}/decline", "Decline a request of another", s.DeclineBecause, small).For(supervisor, admin),
		rpc.New("POST", "/api/v1/erasures/{id}/withdraw", "Take one's own request back", s.Withdraw, small).For(supervisor),
	}
}
