package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"wardbook/server/store"
)

// Kind is the class of an error: what a caller may do about it, whatever the
// code. It decides the HTTP status.
type Kind int

// The kinds. The zero Kind is Internal, so that a forgotten kind tells nothing.
const (
	Internal        Kind = iota // ours to mend
	Invalid                     // the request is malformed or breaks a rule; Field names where
	Unauthenticated             // sign in first
	Forbidden                   // signed in, but may not
	NotFound                    // no such thing, or not yours to see
	Conflict                    // the state has moved on; read again
	TooLarge                    // the request is over a limit
	TooMany                     // wait for RetryAfter
	Unsupported                 // content type or method
	Unavailable                 // try again later
	Full                        // no room on the disk
)

func (k Kind) status() int {
	switch k {
	case Invalid:
		return http.StatusUnprocessableEntity
	case Unauthenticated:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case TooMany:
		return http.StatusTooManyRequests
	case Unsupported:
		return http.StatusUnsupportedMediaType
	case Unavailable:
		return http.StatusServiceUnavailable
	case Full:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// Error is what a service returns when its caller should learn why. Anything
// else becomes "internal" without detail.
type Error struct {
	Kind       Kind
	Code       string // stable, lower_snake; callers branch on it
	Vi, En     string // for people; never holds person data
	Field      string // the request's field, such as items[3].unit; may be empty
	RetryAfter time.Duration
	Beside     map[string]any // members of the reply's body beside "error"
	Cause      error          // for the log only
}

func (e *Error) Error() string {
	s := e.Code
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is says whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// At returns a copy of e that names field.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// Because returns a copy of e with a cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// After returns a copy of e that asks to wait.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Errors that every service may use. Treat them as constants: At, Because and
// After return copies.
var (
	ErrInternal        = &Error{Kind: Internal, Code: "internal", Vi: "Máy chủ gặp lỗi. Vui lòng thử lại sau.", En: "The server has met an error. Please try again later."}
	ErrInvalid         = &Error{Kind: Invalid, Code: "invalid", Vi: "Giá trị không hợp lệ.", En: "The value is not valid."}
	ErrMalformed       = &Error{Kind: Invalid, Code: "malformed", Vi: "Yêu cầu không đúng định dạng.", En: "The request is malformed."}
	ErrUnknownField    = &Error{Kind: Invalid, Code: "unknown_field", Vi: "Yêu cầu có trường không được phép.", En: "The request holds a field that is not allowed."}
	ErrDuplicateField  = &Error{Kind: Invalid, Code: "duplicate_field", Vi: "Yêu cầu lặp lại một trường.", En: "The request repeats a field."}
	ErrMissingField    = &Error{Kind: Invalid, Code: "missing_field", Vi: "Thiếu một trường bắt buộc.", En: "A required field is missing."}
	ErrTooLarge        = &Error{Kind: TooLarge, Code: "too_large", Vi: "Yêu cầu quá lớn.", En: "The request is too large."}
	ErrUnsupported     = &Error{Kind: Unsupported, Code: "unsupported_media_type", Vi: "Chỉ nhận dữ liệu JSON.", En: "Only JSON is accepted."}
	ErrUnauthenticated = &Error{Kind: Unauthenticated, Code: "unauthenticated", Vi: "Vui lòng đăng nhập.", En: "Please sign in."}
	ErrForbidden       = &Error{Kind: Forbidden, Code: "forbidden", Vi: "Bạn không có quyền làm việc này.", En: "You may not do this."}
	ErrNotFound        = &Error{Kind: NotFound, Code: "not_found", Vi: "Không tìm thấy.", En: "Not found."}
	ErrExists          = &Error{Kind: Conflict, Code: "exists", Vi: "Đã tồn tại.", En: "It exists already."}
	ErrTooMany         = &Error{Kind: TooMany, Code: "too_many_requests", Vi: "Quá nhiều yêu cầu. Vui lòng chờ một lát.", En: "Too many requests. Please wait a moment."}
	ErrUnavailable     = &Error{Kind: Unavailable, Code: "unavailable", Vi: "Máy chủ đang bận. Vui lòng thử lại.", En: "The server is busy. Please try again."}
	ErrStorageFull     = &Error{Kind: Full, Code: "storage_full", Vi: "Máy chủ hết chỗ lưu trữ.", En: "The server has no storage left."}

	errMethod = &Error{Kind: Unsupported, Code: "method_not_allowed", Vi: "Phương thức không được hỗ trợ.", En: "The method is not allowed."}
)

// Public returns what a caller may learn of err: the one mapping of errors. An
// error that is no *Error is one of the store's, a context's, or internal.
func Public(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrNotFound):
		return ErrNotFound.Because(err)
	case errors.Is(err, store.ErrExists):
		return ErrExists.Because(err)
	case errors.Is(err, store.ErrFull):
		return ErrStorageFull.Because(err)
	case errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrRolledBack),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ErrUnavailable.Because(err)
	}
	return ErrInternal.Because(err)
}

// errorBody is the body of every error reply.
type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code      string `json:"code" doc:"stable; branch on this"`
	MessageVi string `json:"message_vi"`
	MessageEn string `json:"message_en"`
	Field     string `json:"field,omitempty" doc:"the request's field, such as items[3].unit"`
}

// WriteError replies with err. Handlers of streams and sockets use it before
// they have written anything.
func WriteError(ctx context.Context, w http.ResponseWriter, err error) {
	e := Public(err)
	if i := infoOf(ctx); i != nil {
		i.err = err
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Kind == Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	status := e.Kind.status()
	if e.Code == errMethod.Code {
		status = http.StatusMethodNotAllowed
	}
	detail := errorDetail{e.Code, e.Vi, e.En, e.Field}
	body, _ := json.Marshal(errorBody{detail})
	if len(e.Beside) > 0 {
		all := map[string]any{"error": detail}
		for name, member := range e.Beside {
			all[name] = member
		}
		if more, err := json.Marshal(all); err == nil {
			body = more
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}
