package bridge

import (
	"context"
	"encoding/json"
	"errors"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store/driver"
)

// Failure is a refusal that the page can show.
type Failure = replica.Failure

// The failures of the bridge's own. Treat them as constants.
var (
	errSignedOut = &Failure{Code: "signed_out", VI: "Bạn chưa đăng nhập.", EN: "You are not signed in."}
	errSignedIn  = &Failure{Code: "signed_in", VI: "Một tài khoản khác đang mở trên trình duyệt này.", EN: "Another account is open in this browser."}
	errOffline   = &Failure{Code: "offline", VI: "Không có kết nối tới máy chủ.", EN: "There is no connection to the server."}
	errSignIn    = &Failure{Code: "sign_in", VI: "Phiên làm việc đã hết hạn. Việc chưa gửi vẫn còn trên thiết bị; hãy đăng xuất rồi đăng nhập lại qua mạng để gửi.",
		EN: "The sign-in has ended. Unsent work is still on this device; sign out, then sign in over the network to send it."}
	errNoStore = &Failure{Code: "no_store", VI: "Tài khoản này chưa từng đăng nhập trên máy này.", EN: "This account has not signed in on this device."}
	errUnsent  = &Failure{Code: "unsent", VI: "Còn việc chưa gửi trên máy mượn này.", EN: "There is unsent work on this borrowed device."}
	errBusy    = &Failure{Code: "busy", VI: "Máy chủ đang bận. Hãy thử lại sau.", EN: "The server is busy. Try again later."}
)

// failureOf is the one mapping from errors to what the page is told.
func failureOf(err error) *Failure {
	var f *Failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Failure{Code: "cancelled", VI: "Việc này đã bị dừng.", EN: "This was stopped."}
	case errors.Is(err, driver.ErrQuota):
		return &Failure{Code: "quota", VI: "Bộ nhớ của thiết bị đã đầy nên chưa lưu được. Hãy xóa bớt tệp khác rồi thử lại.",
			EN: "The device's storage is full, so nothing was saved. Free some room, then try again."}
	case errors.Is(err, driver.ErrHeld):
		return &Failure{Code: "held", VI: "Một thẻ khác đang mở dữ liệu này. Hãy đóng thẻ đó rồi thử lại.",
			EN: "Another tab has this data open. Close it, then try again."}
	case errors.Is(err, driver.ErrNoOPFS):
		return &Failure{Code: "no-opfs", VI: "Trình duyệt này, hoặc chế độ riêng tư của nó, không cho lưu dữ liệu trên máy.",
			EN: "This browser, or its private mode, does not let us keep data on the device."}
	case errors.Is(err, driver.ErrWrongKey):
		return &Failure{Code: "wrong_key", VI: "Khóa không mở được dữ liệu của tài khoản này.", EN: "The key does not open this account's data."}
	case errors.Is(err, driver.ErrCorrupted):
		return &Failure{Code: "corrupted", VI: "Dữ liệu trên máy này bị hỏng. Đừng xóa dữ liệu trình duyệt web: hãy đăng xuất, rồi đăng nhập qua mạng để bắt đầu lại.",
			EN: "The data on this device is damaged. Do not clear the browser's data: sign out, then sign in over the network to begin anew."}
	}
	return &Failure{Code: "internal", VI: "Lỗi trên thiết bị này: " + err.Error(), EN: "A fault on this device: " + err.Error()}
}

// broken names what the disk did to the store, if that is why a session ended.
func broken(err error) *Failure {
	if f := failureOf(err); f.Code == "quota" || f.Code == "corrupted" {
		return f
	}
	return nil
}

// refusal reads what the server's API answered in the place of a result.
func refusal(status int, reply []byte) *Failure {
	var body struct {
		Error struct {
			Code  string `json:"code"`
			VI    string `json:"message_vi"`
			EN    string `json:"message_en"`
			Field string `json:"field"`
		} `json:"error"`
	}
	if err := json.Unmarshal(reply, &body); err == nil && body.Error.Code != "" {
		return &Failure{Code: body.Error.Code, VI: body.Error.VI, EN: body.Error.EN, Field: body.Error.Field}
	}
	if status == 429 || status >= 500 {
		return errBusy // a gateway's own page, or none
	}
	return &Failure{Code: "refused", VI: "Máy chủ không nhận yêu cầu này.", EN: "The server does not take this request."}
}

// malformed says that the page asked in a way that the contract does not know.
func malformed(what string, err error) *Failure {
	text := what
	if err != nil {
		text += ": " + err.Error()
	}
	return &Failure{Code: "malformed", VI: "Trang gửi yêu cầu không đúng: " + text, EN: "The page asked in a wrong way: " + text}
}

// codeOf returns the code of what the page would be told, "" for nil.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return failureOf(err).Code
}
