import type { Guide } from './chapter'

export const vi: Guide = {
  everybody: [
    {
      id: 'sign-in',
      title: 'Lần đầu trên một máy',
      text: ['Lần đầu cần mạng: trình duyệt tải chương trình (khoảng 2 MB) và hồ sơ của đơn vị bạn. Sau đó mọi việc hằng ngày làm được cả khi không có mạng.'],
      steps: [
        'Mở địa chỉ Wardbook của đơn vị bằng Chrome, Cốc Cốc, Edge hoặc Firefox, không dùng chế độ ẩn danh.',
        'Nhập tên đăng nhập và mật khẩu. Máy mới có thể cần mã ghi danh do quản trị viên cấp.',
        'Trên máy của người khác, đánh dấu “Máy mượn”: khi đăng xuất, dữ liệu của bạn được xóa khỏi máy ấy.',
        'Thêm trang vào màn hình chính để mở nhanh và để trình duyệt giữ dữ liệu lâu dài.',
      ],
      after: 'Hồ sơ nhận dần về máy; tìm được ngay từ những hồ sơ đầu tiên. Dữ liệu trên máy được mã hóa. Máy tự khóa sau 10 phút không chạm; mở lại bằng mật khẩu, không cần mạng.',
      picture: { name: 'sign-in', alt: 'Màn hình đăng nhập với tên, mật khẩu và ô “Máy mượn”.' },
    },
    {
      id: 'find',
      title: 'Tìm một người',
      text: ['Gõ không dấu cũng được: “dang thi” tìm thấy Đặng Thị. Tìm được theo tên, số định danh, địa chỉ, số hộ. Nếu sổ chưa nhận đủ về máy, dòng dưới ô tìm nói đã tìm trong bao nhiêu hồ sơ và cho tìm tiếp trên máy chủ.'],
      steps: ['Chọn sổ ở trang đầu.', 'Gõ vài chữ vào ô tìm.', 'Chạm vào dòng cần mở.'],
      after: 'Có thẻ căn cước: bấm “Quét thẻ”. Người đã có hồ sơ thì hồ sơ mở ra, chỗ khác nhau hiện ở trên; chưa có thì một phiếu mới được điền sẵn. Ảnh thẻ không được lưu.',
      picture: { name: 'find', alt: 'Danh sách nhân khẩu tìm theo chữ “dang thi”.' },
    },
    {
      id: 'edit',
      title: 'Sửa và lưu, có mạng hay không',
      text: ['“Lưu” ghi ngay vào máy. Bốn vạch cạnh tên hồ sơ cho biết nó đã đi đến đâu: trên máy này, máy chủ đã nhận, đã duyệt, đã lên trục dữ liệu thành phố. Chữ bên cạnh nói điều các vạch vẽ.'],
      steps: [
        'Sửa ô cần sửa. Điều đang gõ được cất vào máy sau mỗi lần ngừng tay, kể cả khi máy tắt.',
        'Bấm “Lưu” (Ctrl+S trên máy tính).',
        'Khi hồ sơ đã đủ, bấm “Lưu và trình duyệt” (Ctrl+Enter). Nếu còn thiếu, màn hình chỉ chỗ thiếu và vẫn giữ những gì đã nhập.',
      ],
      after: 'Năm sinh chỉ biết năm thì gõ 1958; biết tháng thì gõ 03/1958. Số bị che bằng dấu chấm: bấm “Hiện” để xem; việc xem được ghi nhật ký. Cần bản giấy: bấm “In phiếu”.',
      picture: { name: 'edit', alt: 'Một hồ sơ vừa lưu khi không có mạng; bốn vạch tô vạch thứ nhất.' },
    },
    {
      id: 'status',
      title: 'Dòng ở chân màn hình',
      text: ['Dòng này luôn nói thật về việc của bạn trên máy này. Chạm vào để xem chi tiết.'],
      steps: [
        'Xanh lá “Đã đồng bộ 14:32”: máy chủ đã nhận mọi việc của bạn và máy đã có đủ hồ sơ.',
        'Vàng “Chưa gửi: 3 thay đổi”: máy chủ chưa nhận 3 thay đổi. Chúng tự gửi khi có mạng; bạn không phải làm gì.',
        'Xanh dương: đang gửi hoặc đang nhận.',
        'Đỏ: có việc bạn phải làm; dòng chữ nói việc gì.',
      ],
      after: 'Nếu lâu ngày không có mạng: trong bảng chi tiết, bấm “Cất việc chưa gửi ra tệp cứu hộ” và nộp tệp ấy từ bất kỳ máy nào có mạng. Nộp hai lần cũng chỉ được nhận một lần.',
      picture: { name: 'status', alt: 'Bảng “Tình trạng dữ liệu” mở từ dòng ở chân màn hình.' },
    },
    {
      id: 'conflict',
      title: 'Hai người cùng sửa một ô',
      text: ['Sửa hai ô khác nhau thì hệ thống tự ghép. Cùng sửa một ô thì cả hai giá trị được giữ, kèm tên người và giờ, chờ một người chọn.'],
      steps: ['Mở mục “Cần xử lý”.', 'Xem ai ghi gì, lúc nào.', 'Bấm “Chọn” ở giá trị đúng, hoặc nhập giá trị khác.'],
      after: 'Giá trị không được chọn vẫn nằm trong “Lịch sử” và lấy lại được.',
      picture: { name: 'conflict', alt: 'Một ô có hai giá trị của hai cán bộ, mỗi giá trị có nút “Chọn”.' },
    },
    {
      id: 'returned',
      title: 'Hồ sơ bị trả lại',
      text: ['Người duyệt trả hồ sơ kèm lý do và những ô cần xem lại; các ô ấy được tô vàng.'],
      steps: ['Mở “Cần xử lý”, mục trả lại.', 'Sửa các ô được hỏi, hoặc viết câu trả lời.', 'Bấm “Lưu và trình duyệt” lần nữa.'],
    },
    {
      id: 'tally',
      title: 'Việc của tôi',
      text: [
        'Ở trang đầu, “Việc của tôi” cho biết việc của bạn hôm nay, tuần này, tháng này đã tới đâu. Máy chủ tính từ lịch sử hồ sơ; bạn và người duyệt thấy cùng một số.',
        'Số đếm theo lượt: phần việc của một người trên một hồ sơ, từ lúc viết đến khi có quyết định. Lưu hay trình nhiều lần vẫn là một lượt. Sửa hồ sơ cũ chỉ tính khi đã trình.',
      ],
      steps: [
        '“Đã nhập”: theo ngày viết trên máy. “Máy chủ đã nhận”: theo ngày máy chủ nhận; các dòng sau tính trên số này.',
        '“Đúng hạn”: mọi phần của lượt được nhận trong 24 giờ sau khi viết, theo giờ của máy và giờ của máy chủ. “Quá hạn”: số còn lại, kể cả khi giờ của máy chạy trước từ 24 giờ.',
        '“Duyệt ngay lần đầu”: được duyệt, chưa từng bị trả lại, bị từ chối một phần hay bị rút duyệt.',
        '“Từng bị trả lại”: kể cả khi sau đó đã bổ sung và được duyệt.',
      ],
      after: 'Không có mạng, bảng là số máy chủ báo lần cuối, kèm giờ. Việc còn trên máy này được nói riêng, chưa nằm trong số nào.',
    },
    {
      id: 'leave',
      title: 'Rời máy, mất máy',
      text: ['Trước khi rời máy, chọn “Khóa ngay” trong mục tên bạn ở góc trên. Việc chưa gửi không mất.'],
      steps: [
        'Mất máy: báo ngay cho người duyệt hoặc quản trị viên. Máy bị chặn; dữ liệu trên máy đọc không được nếu không có mật khẩu.',
        'Đăng nhập trên máy khác: những gì máy chủ đã nhận có lại ngay.',
        'Máy tìm thấy hoặc máy hỏng còn mở được: việc chưa gửi nằm trong tệp cứu hộ đã niêm phong, tự nộp khi có mạng.',
      ],
    },
  ],
  supervisors: [
    {
      id: 'desk',
      title: 'Duyệt hồ sơ',
      text: ['Mục “Duyệt” đặt hàng chờ bên cạnh hồ sơ đang mở. Mỗi ô đổi đặt giá trị đã duyệt cạnh giá trị mới, kèm người ghi. Tải lại trang vẫn ở đúng chỗ cũ.'],
      steps: [
        'j và k: hồ sơ sau, hồ sơ trước.',
        'a: duyệt. r: trả lại, kèm lý do và các ô cần xem lại. x: từ chối, kèm lý do.',
        '?: danh sách phím tắt.',
      ],
      after: 'Duyệt là duyệt đúng điều đang ở trên màn hình: nếu hồ sơ vừa đổi, hệ thống từ chối và cho xem lại. Duyệt một lệnh xóa thì luôn được hỏi thêm một lần.',
      picture: { name: 'desk', wide: true, alt: 'Hàng chờ duyệt bên trái, các ô thay đổi của một hồ sơ bên phải.' },
    },
    {
      id: 'devices',
      title: 'Máy của đơn vị',
      text: ['Mục “Thiết bị” xếp máy có việc chưa gửi lâu nhất lên đầu: một máy im lặng nhiều ngày cần được hỏi tới.'],
      steps: ['Máy mất: bấm “Báo mất”, rồi xác nhận.', 'Xem giờ máy chủ nhận việc của máy ấy lần cuối, và số việc chưa gửi máy đã báo.'],
      after: 'Nếu máy mất nối mạng lại, việc chưa gửi của nó vào mục “Cách ly” cho bạn xem; không có gì trong đó bị bỏ, và không có gì tự vào sổ. Bản nháp (biểu mẫu chưa lưu) thì mất theo máy.',
      picture: { name: 'devices', wide: true, alt: 'Danh sách thiết bị của đơn vị với giờ nhận lần cuối và nút “Báo mất”.' },
    },
    {
      id: 'officers',
      title: 'Việc của cán bộ',
      text: ['Trong “Hôm nay” bấm “Việc của cán bộ”: bảng của từng cán bộ trong đơn vị. “Tải bảng tính (CSV)” lưu các bảng ấy thành một tệp mở được bằng chương trình bảng tính. Tệp có tên người và không mã hóa: giữ và gửi nó như giấy tờ nội bộ.'],
    },
    {
      id: 'held',
      title: 'Cách ly',
      text: ['Thay đổi từ máy bị chặn, ngoài quyền, hoặc xóa nhiều bất thường được giữ ở đây. “Đưa vào sổ” ghi lại dưới tên bạn, dẫn nguồn người nhập; “Không nhận” giữ lại trong lịch sử cùng lý do.'],
    },
    {
      id: 'erase',
      title: 'Xóa theo luật',
      text: ['Khi luật buộc xóa hẳn một hồ sơ, mở hồ sơ ấy trong “Duyệt” và bấm “Xóa theo luật…” ở cuối. Người duyệt thứ hai hoặc quản trị viên xác nhận trong “Xóa theo luật” (ở “Duyệt”, dưới bộ lọc; ở menu của quản trị viên là “Xóa”); sau đó không ai lấy lại được. Ở đó cũng thấy bao nhiêu máy đã bỏ hồ sơ.'],
    },
  ],
  troubles: [
    { when: 'Không có mạng cả ngày', what: 'Cứ làm tiếp. Dòng chân màn hình đếm việc chưa gửi; khi có mạng, máy tự gửi.' },
    { when: 'Quên mật khẩu', what: 'Quản trị viên đặt mật khẩu mới. Đăng nhập qua mạng trên chính máy ấy: dữ liệu và việc chưa gửi còn nguyên.' },
    { when: 'Màn hình nói không lưu được', what: 'Phiếu vẫn còn trên màn hình. Đọc lý do, dọn bớt bộ nhớ của máy, rồi bấm “Lưu” lại; hoặc cất việc chưa gửi ra tệp cứu hộ.' },
    { when: 'Máy nói dữ liệu đã bị xóa', what: 'Trình duyệt đã dọn mất kho dữ liệu. Đăng nhập qua mạng để nhận lại những gì máy chủ có; bản sao đã niêm phong của việc chưa gửi, nếu còn, tự nộp.' },
    { when: 'Không thấy hồ sơ của một người chắc chắn có', what: 'Xem dòng dưới ô tìm: sổ có thể chưa nhận đủ về máy. Tìm tiếp trên máy chủ trước khi lập hồ sơ mới.' },
  ],
}
