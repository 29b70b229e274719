package replica

import "fmt"

// Failure is a refusal that people can read. Code is stable; both texts say
// what to do about it.
type Failure struct {
	Code  string `json:"code"`
	VI    string `json:"vi"`
	EN    string `json:"en"`
	Field string `json:"field,omitempty"`
}

// Error returns the English text.
func (f *Failure) Error() string {
	if f.Field != "" {
		return f.Field + ": " + f.EN
	}
	return f.EN
}

// Is makes failures with the same code equal for errors.Is.
func (f *Failure) Is(target error) bool {
	t, ok := target.(*Failure)
	return ok && t.Code == f.Code
}

// The failures that callers branch on, for errors.Is. What is returned carries
// the field or name concerned.
var (
	ErrNoRecord   = &Failure{Code: "no_record"}
	ErrNoRegister = &Failure{Code: "no_register"}
	ErrNoField    = &Failure{Code: "no_field"}
	ErrNoForm     = &Failure{Code: "no_form"}
	ErrEmpty      = &Failure{Code: "empty"}
	ErrConflict   = &Failure{Code: "in_conflict"}
	ErrPartial    = &Failure{Code: "partial"}
	ErrChanged    = &Failure{Code: "changed"}
	ErrTooLarge   = &Failure{Code: "too_large"}
	ErrNoQuestion = &Failure{Code: "no_question"}
	ErrNoChoice   = &Failure{Code: "no_choice"}
	ErrHeldBack   = &Failure{Code: "quarantined"}
	ErrUnsent     = &Failure{Code: "unsent"}
	ErrErased     = &Failure{Code: "erased", VI: "Hồ sơ này đã được xoá theo luật; không còn gì để xem hay sửa.",
		EN: "this record was erased by law; there is nothing left to see or to change"}
)

func noRecord(id string) error {
	return &Failure{Code: "no_record", VI: fmt.Sprintf("Không có hồ sơ %s trên thiết bị này.", id),
		EN: fmt.Sprintf("no record %s on this device", id)}
}

func noRegister(id string) error {
	return &Failure{Code: "no_register", VI: fmt.Sprintf("Không có sổ “%s” trên thiết bị này.", id),
		EN: fmt.Sprintf("no register %q on this device", id)}
}

func noField(register, name string) error {
	return &Failure{Code: "no_field", Field: name, VI: fmt.Sprintf("Sổ “%s” không có trường này.", register),
		EN: fmt.Sprintf("register %q has no such field", register)}
}

func noForm(key string) error {
	return &Failure{Code: "no_form", VI: "Biểu mẫu này không còn; hãy mở lại hồ sơ.",
		EN: fmt.Sprintf("form %s was given up; open the record again", key)}
}

func heldBack() error {
	return &Failure{Code: "quarantined", VI: "Cả hồ sơ này đang bị giữ lại nên không sửa được; hãy nhập hồ sơ mới nếu cần.",
		EN: "the whole record is held back and cannot be changed; make a new one if it is needed"}
}

// closed says why nothing can be written in a record of which this device does
// not hold what others have written, or returns nil. A form that was opened before
// is still saved: its author saw the whole.
func (n *reading) closed() error {
	switch {
	case n.ghost:
		return heldBack()
	case n.Left:
		return &Failure{Code: "left", VI: "Hồ sơ này không còn ở đơn vị của bạn. Thay đổi của bạn còn trên thiết bị này vẫn được gửi đi.",
			EN: "the record is not in your unit any more; what you changed in it on this device is still sent"}
	}
	return nil
}

func inConflict(field string) error {
	return &Failure{Code: "in_conflict", Field: field, VI: "Trường này có nhiều giá trị; hãy chọn một giá trị trước.",
		EN: "this field holds several values; settle it first"}
}
