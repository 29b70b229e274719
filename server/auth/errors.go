package auth

import "wardbook/server/rpc"

// What signing in and administration may answer. Codes are stable.
var (
	ErrCredentials    = &rpc.Error{Kind: rpc.Unauthenticated, Code: "bad_credentials", Vi: "Tên đăng nhập hoặc mật khẩu không đúng.", En: "The name or the password is wrong."}
	ErrDisabled       = &rpc.Error{Kind: rpc.Unauthenticated, Code: "account_disabled", Vi: "Tài khoản đã bị khóa.", En: "The account is disabled."}
	ErrSignedOut      = &rpc.Error{Kind: rpc.Unauthenticated, Code: "signed_out", Vi: "Phiên đăng nhập đã kết thúc. Vui lòng đăng nhập lại.", En: "The session has ended. Please sign in again."}
	ErrTokenExpired   = &rpc.Error{Kind: rpc.Unauthenticated, Code: "token_expired", Vi: "Phiên đã hết hạn.", En: "The access token has expired."}
	ErrTokenReused    = &rpc.Error{Kind: rpc.Unauthenticated, Code: "token_reused", Vi: "Phiên bị kết thúc vì mã phiên đã được dùng ở nơi khác. Vui lòng đăng nhập lại.", En: "The session was ended because its token was used elsewhere. Please sign in again."}
	ErrDeviceRevoked  = &rpc.Error{Kind: rpc.Unauthenticated, Code: "device_revoked", Vi: "Thiết bị này đã bị thu hồi quyền truy cập.", En: "This device's access was revoked."}
	ErrEnrolment      = &rpc.Error{Kind: rpc.Forbidden, Code: "enrolment_required", Field: "code", Vi: "Thiết bị mới cần mã ghi danh do quản trị viên cấp.", En: "A new device needs an enrolment code from an administrator."}
	ErrEnrolmentCode  = &rpc.Error{Kind: rpc.Forbidden, Code: "enrolment_code_invalid", Field: "code", Vi: "Mã ghi danh không đúng, đã dùng hoặc đã hết hạn.", En: "The enrolment code is wrong, used or expired."}
	ErrTooManyDevices = &rpc.Error{Kind: rpc.Conflict, Code: "too_many_devices", Vi: "Tài khoản đã có đủ số thiết bị cho phép. Hãy thu hồi một thiết bị.", En: "The account has as many devices as it may. Revoke one first."}
	ErrMustChange     = &rpc.Error{Kind: rpc.Forbidden, Code: "must_change_password", Vi: "Vui lòng đổi mật khẩu trước khi tiếp tục.", En: "Please change your password first."}
	ErrStepUp         = &rpc.Error{Kind: rpc.Forbidden, Code: "step_up_required", Field: "password", Vi: "Bạn đăng nhập đã hơn 15 phút. Vui lòng nhập lại mật khẩu.", En: "You signed in more than 15 minutes ago. Please type your password again."}
	ErrThrottled      = &rpc.Error{Kind: rpc.TooMany, Code: "too_many_attempts", Vi: "Đăng nhập sai quá nhiều lần. Vui lòng chờ một lát.", En: "Too many failed attempts. Please wait a moment."}
	ErrPasswordShort  = &rpc.Error{Kind: rpc.Invalid, Code: "password_too_short", Field: "password", Vi: "Mật khẩu phải có ít nhất 10 ký tự.", En: "The password needs at least 10 characters."}
	ErrPasswordLong   = &rpc.Error{Kind: rpc.Invalid, Code: "password_too_long", Field: "password", Vi: "Mật khẩu quá dài.", En: "The password is too long."}
	ErrPasswordCommon = &rpc.Error{Kind: rpc.Invalid, Code: "password_too_common", Field: "password", Vi: "Mật khẩu này quá phổ biến hoặc dễ đoán.", En: "This password is too common or easy to guess."}
	ErrPasswordSame   = &rpc.Error{Kind: rpc.Invalid, Code: "password_same", Field: "password", Vi: "Mật khẩu mới phải khác mật khẩu cũ.", En: "The new password must differ from the old one."}
	ErrAccountName    = &rpc.Error{Kind: rpc.Invalid, Code: "account_name_invalid", Field: "name", Vi: "Tên đăng nhập gồm 3 đến 40 chữ cái, chữ số, dấu chấm, gạch ngang hoặc gạch dưới.", En: "An account name has 3 to 40 letters, digits, dots, hyphens or underscores."}
	ErrAccountExists  = &rpc.Error{Kind: rpc.Conflict, Code: "account_exists", Field: "name", Vi: "Tên đăng nhập đã có người dùng.", En: "The account name is taken."}
	ErrDisplayName    = &rpc.Error{Kind: rpc.Invalid, Code: "display_name_invalid", Field: "display_name", Vi: "Họ tên gồm 1 đến 100 ký tự.", En: "The display name has 1 to 100 characters."}
	ErrRole           = &rpc.Error{Kind: rpc.Invalid, Code: "role_invalid", Field: "role", Vi: "Vai trò không hợp lệ.", En: "The role is not valid."}
	ErrUnit           = &rpc.Error{Kind: rpc.Invalid, Code: "unit_invalid", Field: "unit", Vi: "Cán bộ và người duyệt cần một đơn vị hợp lệ; vai trò khác không có đơn vị.", En: "Officers and supervisors need a valid unit; other roles have none."}
	ErrLastAdmin      = &rpc.Error{Kind: rpc.Conflict, Code: "last_admin", Vi: "Phải còn ít nhất một quản trị viên hoạt động.", En: "At least one enabled administrator must remain."}
	ErrNotRescue      = &rpc.Error{Kind: rpc.Invalid, Code: "rescue_unknown", Field: "file", Vi: "Đây không phải tệp cứu hộ của Wardbook.", En: "This is not a rescue file of Wardbook's."}
	ErrForeignRescue  = &rpc.Error{Kind: rpc.Invalid, Code: "rescue_foreign", Field: "file", Vi: "Tệp này được niêm phong cho một đơn vị vận hành khác. Hãy nộp ở máy chủ nơi thiết bị đã đăng nhập.", En: "This file is sealed for another organisation. Hand it in at the server where its device signed in."}
	ErrDamagedRescue  = &rpc.Error{Kind: rpc.Invalid, Code: "rescue_damaged", Field: "file", Vi: "Tệp bị hỏng hoặc đã bị sửa; chưa nhận gì từ tệp. Hãy chép lại tệp từ thiết bị gốc.", En: "The file is damaged or was changed; nothing was taken from it. Copy it from its device again."}
	ErrForgedRescue   = &rpc.Error{Kind: rpc.Invalid, Code: "rescue_forged", Field: "file", Vi: "Tệp này không do thiết bị ghi trong tệp tạo ra; chưa nhận gì từ tệp.", En: "This file was not made by the device that it names; nothing was taken from it."}
	ErrReason         = &rpc.Error{Kind: rpc.Invalid, Code: "reason_required", Field: "reason", Vi: "Cần nêu lý do.", En: "A reason is needed."}
	ErrChanged        = &rpc.Error{Kind: rpc.Unauthenticated, Code: "account_changed", Vi: "Đơn vị hoặc vai trò của tài khoản đã thay đổi. Đang kết nối lại.", En: "The account's unit or role has changed. Connecting again."}
	errOverloaded     = &rpc.Error{Kind: rpc.Unavailable, Code: "unavailable", Vi: "Máy chủ đang bận. Vui lòng thử lại.", En: "The server is busy. Please try again."}
)
