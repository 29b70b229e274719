// The words of printed papers. Official papers are in Vietnamese whatever the language of the page is, so these stand
// outside the catalogues. The form of the head is that of Decree 30/2020: the authority at the left, the country's name
// and motto at the right, then place and date.
export const paper = {
  committee: 'ỦY BAN NHÂN DÂN',
  country: 'CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM',
  motto: 'Độc lập - Tự do - Hạnh phúc',
  title: 'PHIẾU THÔNG TIN HỒ SƠ',
  approved: 'Đã được duyệt',
  approvedAt: 'Đã được duyệt lúc',
  notApproved: 'CHƯA ĐƯỢC DUYỆT - bản in này chỉ để tham khảo',
  stages: { draft: 'chưa trình', submitted: 'đang chờ duyệt', returned: 'đã trả lại để bổ sung', refused: 'đã bị từ chối', approved: '', quarantined: 'đang bị cách ly' },
  deleted: 'Hồ sơ đã xóa.',
  editedAndDeleted: 'Hồ sơ vừa được sửa vừa bị xóa, chưa có người quyết định.',
  local: 'Có nội dung mới chỉ ở trên máy in phiếu này, máy chủ chưa nhận.',
  unsaved: 'Có nội dung đang nhập chưa lưu; phiếu in theo lần lưu trước.',
  waiting: '(*) nội dung chưa được duyệt.',
  masked: 'Nội dung có dấu • được che theo quy định; người in không mở xem.',
  revealed: 'Phiếu có thông tin cá nhân đã được mở xem; việc mở xem được ghi nhật ký. Giữ và hủy phiếu như tài liệu có thông tin cá nhân.',
  torn: 'chưa thống nhất:',
  empty: '…………',
  notes: 'Ghi chú',
  printer: 'NGƯỜI IN PHIẾU',
  checker: 'NGƯỜI KIỂM TRA',
  sign: '(Ký, ghi rõ họ tên)',
  record: 'Mã hồ sơ',
  printed: 'In từ Wardbook lúc',
}

/** Phường Sài Gòn is called Sài Gòn where a paper says its place; a ward named by a number keeps the word. */
export function placeOf(unit: string): string {
  const name = unit.replace(/^(Phường|Xã|Đặc khu)\s+/, '')
  return /^\d/.test(name) ? unit : name
}

/** ngày 05 tháng 02 năm 2026: days below 10 and the first two months have a zero before them. */
export function dateOf(date: Date): string {
  const month = date.getMonth() + 1
  return `ngày ${String(date.getDate()).padStart(2, '0')} tháng ${month < 3 ? `0${month}` : month} năm ${date.getFullYear()}`
}
