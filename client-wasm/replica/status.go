package replica

import (
	"context"
	"fmt"
	"slices"

	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// Status returns how the device stands.
func (r *Replica) Status(ctx context.Context) (Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	unsent, oldest, err := r.store.Unsent(ctx, r.meta.Replica, r.meta.Acked)
	if err != nil {
		return Status{}, wrap("status", err)
	}
	s := Status{Link: "offline", Unsent: unsent, Oldest: oldest, LastReceipt: r.meta.LastReceipt, Streams: []StreamStatus{},
		Conflicts: r.counts.Conflicts, Returned: r.counts.Returned, Quarantined: r.counts.Quarantined, Failure: r.failure}
	switch r.told.Link {
	case session.Connecting:
		s.Link = "connecting"
	case session.Live:
		s.Link = "online"
	}
	if r.meta.HeardAt != 0 {
		offset := r.meta.ClockOffset
		s.ClockOffset = &offset
	}
	damaged, err := r.store.Damaged(ctx)
	if err != nil {
		return Status{}, wrap("status", err)
	}
	if n := len(damaged); n > 0 && s.Failure == nil {
		s.Failure = &Failure{Code: "damaged", VI: fmt.Sprintf("%d thay đổi đã lưu trên thiết bị này bị hỏng và không gửi được; những thay đổi khác vẫn gửi. Hãy xem và nhập lại chúng.", n),
			EN: fmt.Sprintf("%d changes saved on this device are damaged and cannot be sent; the others are. Look at them and enter them again", n)}
	}
	made, err := r.store.Made(ctx)
	if err != nil {
		return Status{}, wrap("status", err)
	}
	complete := true
	for _, t := range r.streams {
		if t.Withdrawn {
			continue
		}
		// A stream that the server refuses is no part of what can be received.
		complete = complete && (t.complete() || t.Code != protocol.OK)
		if t.Class == protocol.Basic {
			have, of := t.part(made[t.Stream])
			s.Streams = append(s.Streams, StreamStatus{Register: t.Register, Unit: t.Unit, Have: have, Of: of, Complete: t.complete()})
		}
	}
	if s.Link == "online" && r.told.Sent > r.meta.Acked {
		waiting, _, err := r.store.Unsent(ctx, r.meta.Replica, r.told.Sent)
		if err != nil {
			return Status{}, wrap("status", err)
		}
		s.Sending = unsent - waiting
	}
	s.Synced = r.told.Synced && r.told.Last == r.meta.Last && unsent == 0 && complete && !r.paused() && len(damaged) == 0
	s.Paused = r.paused()
	if s.Failure == nil {
		s.Failure = stopped(r.told)
	}
	return s, nil
}

// Streams returns the streams that the device holds, as last heard of.
func (r *Replica) Streams() []Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.streams)
}

// NoteSynced keeps that the session has just said "synced", if it has, so that
// a later process can tell. It returns what the session said.
func (r *Replica) NoteSynced(ctx context.Context) (bool, error) {
	s, err := r.Status(ctx)
	if err != nil || !s.Synced {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	meta := r.meta
	meta.SyncedAt, meta.SyncedLast = r.now(), meta.Last
	return true, wrap("note synced", r.commit(ctx, &Batch{Meta: &meta}))
}

// stopped says in words why the server will not have this device.
func stopped(s session.Status) *Failure {
	switch {
	case s.Link != session.Stopped:
		return nil
	case s.Failure == protocol.Revoked:
		return &Failure{Code: "revoked", VI: "Thiết bị hoặc tài khoản này đã bị khóa; việc chưa gửi vẫn còn trên thiết bị. Hãy báo quản trị viên.",
			EN: "this device or account is closed; unsent work is still on the device. Tell an administrator"}
	case s.Failure == protocol.BadSignature:
		return &Failure{Code: s.Failure.String(), VI: "Dữ liệu nhận được không mang chữ ký của máy chủ mà thiết bị này biết; không có gì được ghi nhận. Hãy báo quản trị viên; đăng nhập lại nếu máy chủ đã đổi khóa.",
			EN: "what came was not signed by the server that this device knows; nothing of it was stored. Tell an administrator; sign in again if the server's keys were replaced"}
	case s.Failure == protocol.UnsupportedWire:
		return &Failure{Code: "update", VI: "Cần cập nhật ứng dụng để đồng bộ; việc chưa gửi vẫn còn trên thiết bị.",
			EN: "the app must be updated before it can synchronise; unsent work is still on the device"}
	}
	return &Failure{Code: s.Failure.String(), VI: "Máy chủ từ chối thiết bị này.", EN: "the server refuses this device"}
}
