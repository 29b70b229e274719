package review

import "wardbook/server/rpc"

// What the desk may answer beside the errors that every service shares. Codes
// are stable.
var (
	ErrChanged         = &rpc.Error{Kind: rpc.Conflict, Code: "changed", Vi: "Hồ sơ đã thay đổi từ khi bạn xem. Vui lòng xem lại.", En: "The record has changed since you saw it. Please look again."}
	ErrOwnWork         = &rpc.Error{Kind: rpc.Forbidden, Code: "own_work", Vi: "Bạn là người ghi giá trị này, nên người duyệt khác phải duyệt.", En: "You wrote this value yourself, so another supervisor must approve it."}
	ErrUnsettled       = &rpc.Error{Kind: rpc.Conflict, Code: "conflict", Vi: "Còn giá trị khác nhau, cần chọn trước khi duyệt.", En: "Different values stand. Settle them before approving."}
	ErrLifeFirst       = &rpc.Error{Kind: rpc.Conflict, Code: "life_first", Field: "life", Vi: "Cần quyết định việc xóa hoặc khôi phục hồ sơ trước.", En: "Decide first whether the record is deleted."}
	ErrEditedDeleted   = &rpc.Error{Kind: rpc.Conflict, Code: "edited_and_deleted", Field: "life", Vi: "Hồ sơ vừa bị sửa vừa bị xóa. Cần chọn giữ hay xóa.", En: "The record was edited and deleted. Choose whether to keep it."}
	ErrFindings        = &rpc.Error{Kind: rpc.Invalid, Code: "error", Vi: "Trường này còn lỗi nên chưa duyệt được.", En: "This field has an error and cannot be approved."}
	ErrWarnings        = &rpc.Error{Kind: rpc.Invalid, Code: "warning", Vi: "Trường này có cảnh báo chưa nêu lý do. Hãy xác nhận nếu vẫn duyệt.", En: "This field has a warning without a reason. Confirm it to approve all the same."}
	ErrNothingWaiting  = &rpc.Error{Kind: rpc.Conflict, Code: "nothing_waiting", Vi: "Không có gì chờ quyết định ở đây.", En: "Nothing waits for a decision here."}
	ErrDraft           = &rpc.Error{Kind: rpc.Conflict, Code: "draft", Vi: "Cán bộ chưa gửi duyệt thay đổi này.", En: "This change has not been submitted yet."}
	ErrNothingApproved = &rpc.Error{Kind: rpc.Conflict, Code: "nothing_approved", Vi: "Hồ sơ không có bản đã duyệt.", En: "The record has no approved version."}
	ErrReasonMissing   = &rpc.Error{Kind: rpc.Invalid, Code: "reason_required", Vi: "Cần nêu lý do.", En: "A reason is needed."}
	ErrNotASibling     = &rpc.Error{Kind: rpc.Conflict, Code: "no_such_value", Field: "dot", Vi: "Giá trị được chọn không còn nữa.", En: "The chosen value no longer stands."}
	ErrSettledAlready  = &rpc.Error{Kind: rpc.Conflict, Code: "settled", Vi: "Mục này đã được xử lý.", En: "This entry is settled already."}
	ErrNotReleasable   = &rpc.Error{Kind: rpc.Conflict, Code: "not_releasable", Vi: "Thay đổi này không thể đưa vào hồ sơ. Chỉ có thể từ chối.", En: "This change cannot be applied. It can only be rejected."}
	ErrRecordFull      = &rpc.Error{Kind: rpc.Conflict, Code: "record_full", Vi: "Hồ sơ đã giữ quá nhiều giá trị mâu thuẫn. Hãy chọn giá trị cho các trường ấy, rồi thử lại.", En: "The record holds as many conflicting values as can be shown. Settle those fields, then try again."}
	ErrDependsOn       = &rpc.Error{Kind: rpc.Conflict, Code: "dependent", Vi: "Cần xử lý thay đổi trước đó của cùng thiết bị trước.", En: "Settle the earlier change of the same device first."}
)

// The codes for why a record is left out of a batch. Stable.
const (
	whyConflict         = "conflict"
	whyEditedAndDeleted = "edited_and_deleted"
	whyWarning          = "warning"
	whyError            = "error"
	whyDeletion         = "deletion"
	whyHighRisk         = "high_risk"
	whyFirst            = "first" // high-risk fields of a record of which nothing was ever approved
	whyDuplicate        = "duplicate"
	whyPattern          = "pattern"
	whyAnswered         = "answered"
	whyOwnWork          = "own_work"
	whyChanged          = "changed"
	whyNothingWaiting   = "nothing_waiting"
	whyDraft            = "draft"
	whyNotFound         = "not_found"
	whyForbidden        = "forbidden"
	whyFailed           = "failed"
)
