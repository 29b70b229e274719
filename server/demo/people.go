package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Family names with their weight in a thousand, after the shares commonly
// published for Vietnam.
var families = []struct {
	name   string
	weight int
}{
	{"Nguyễn", 384}, {"Trần", 110}, {"Lê", 95}, {"Phạm", 70}, {"Huỳnh", 51}, {"Phan", 45}, {"Võ", 39}, {"Vũ", 39},
	{"Đặng", 21}, {"Bùi", 20}, {"Đỗ", 14}, {"Hồ", 13}, {"Ngô", 13}, {"Dương", 10}, {"Lý", 9}, {"Trương", 9},
	{"Đinh", 8}, {"Đoàn", 7}, {"Lâm", 7}, {"Mai", 6}, {"Trịnh", 6}, {"Đào", 6}, {"Cao", 5}, {"Hà", 5}, {"Tạ", 4}, {"Châu", 4},
}

var (
	menMiddle   = []string{"Văn", "Hữu", "Đức", "Minh", "Quốc", "Thanh", "Công", "Ngọc", "Xuân", "Gia", "Anh", "Hoàng", "Trung", "Tấn"}
	womenMiddle = []string{"Thị", "Thị", "Thị Ngọc", "Thị Thanh", "Ngọc", "Thị Mỹ", "Thị Kim", "Bích", "Thu", "Thị Hồng", "Phương", "Thùy", "Diễm"}
	menGiven    = []string{"An", "Bình", "Cường", "Dũng", "Đạt", "Đông", "Giang", "Hải", "Hậu", "Hiếu", "Hòa", "Hùng", "Huy", "Khoa", "Khôi", "Lâm", "Long", "Lộc", "Minh", "Nam", "Nghĩa", "Nhân", "Phong", "Phúc", "Quân", "Quang", "Sơn", "Tài", "Tâm", "Thắng", "Thành", "Thịnh", "Tiến", "Toàn", "Trí", "Tuấn", "Tùng", "Việt", "Vinh", "Vũ"}
	womenGiven  = []string{"Anh", "Ánh", "Châu", "Chi", "Cúc", "Diệp", "Dung", "Giang", "Hà", "Hạnh", "Hằng", "Hiền", "Hoa", "Hòa", "Hồng", "Huệ", "Hương", "Khánh", "Lan", "Liên", "Linh", "Loan", "Mai", "My", "Nga", "Ngân", "Nhi", "Nhung", "Oanh", "Phượng", "Quyên", "Quỳnh", "Tâm", "Thảo", "Thủy", "Thúy", "Trang", "Trinh", "Tuyết", "Uyên", "Vân", "Vy", "Xuân", "Yến"}
	streets     = []string{"đường 3 Tháng 2", "Lý Thái Tổ", "Sư Vạn Hạnh", "Nguyễn Tri Phương", "Ngô Gia Tự", "Vĩnh Viễn", "Bà Hạt", "Hòa Hảo", "Nhật Tảo", "Lê Hồng Phong", "Hùng Vương", "Trần Nhân Tôn"}
	hometowns   = []string{"Bến Tre", "Tiền Giang", "Long An", "Đồng Tháp", "Cần Thơ", "Quảng Ngãi", "Quảng Nam", "Bình Định", "Nam Định", "Hà Nội", "Thừa Thiên Huế", "Thành phố Hồ Chí Minh", "An Giang", "Vĩnh Long", "Tây Ninh"}
	provinces   = []string{"079", "079", "079", "079", "079", "074", "077", "082", "083", "080", "087", "092", "051", "049", "052", "036", "001", "046"}
)

// person is one synthetic resident, in the texts that an officer would type.
type person map[string]string

// year is the generator's present: ages are as of it.
const year = 2026

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func family(r *rand.Rand) string {
	n := r.IntN(1000)
	for _, f := range families {
		if n -= f.weight; n < 0 {
			return f.name
		}
	}
	return families[0].name
}

func fullName(r *rand.Rand, family string, woman bool) string {
	if woman {
		return family + " " + pick(r, womenMiddle) + " " + pick(r, womenGiven)
	}
	return family + " " + pick(r, menMiddle) + " " + pick(r, menGiven)
}

// personalID makes a number that fits province, sex and birth year.
func personalID(r *rand.Rand, woman bool, born int) string {
	digit := (born/100 - 19) * 2
	if woman {
		digit++
	}
	return fmt.Sprintf("%s%d%02d%06d", pick(r, provinces), digit, born%100, 1+r.IntN(999_998))
}

func birthday(r *rand.Rand, born int) string {
	switch n := r.IntN(100); {
	case born < 1970 && n < 18:
		return fmt.Sprint(born) // old papers often know the year alone
	case born < 1985 && n < 4:
		return fmt.Sprintf("%02d/%d", 1+r.IntN(12), born)
	}
	return fmt.Sprintf("%02d/%02d/%d", 1+r.IntN(28), 1+r.IntN(12), born)
}

func phone(r *rand.Rand) string {
	return fmt.Sprintf("0%s%07d", pick(r, []string{"90", "91", "93", "97", "98", "32", "35", "38", "70", "77", "81", "85"}), r.IntN(10_000_000))
}

// household makes the members of one household of the unit.
func household(r *rand.Rand, unit string, no int) []person {
	area := 1 + r.IntN(18)
	neighbourhood := fmt.Sprintf("Khu phố %d", area)
	if strings.HasPrefix(unit, "27676") {
		neighbourhood = fmt.Sprintf("Ấp %d", 1+area%4)
	}
	detail := fmt.Sprintf("%d %s", 1+r.IntN(800), pick(r, streets))
	if r.IntN(3) > 0 {
		detail = fmt.Sprintf("%d/%d %s", 1+r.IntN(600), 1+r.IntN(60), pick(r, streets))
	}
	address := unit + " " + detail
	headBorn := 1945 + r.IntN(55)
	headWoman := r.IntN(3) == 0
	kin := family(r)
	base := func(woman bool, born int, name, relation string) person {
		p := person{
			"household_no": fmt.Sprintf("HS%s%05d", unit[2:], no), "personal_id": personalID(r, woman, born), "full_name": name,
			"dob": birthday(r, born), "sex": "1", "nationality": "VN", "ethnic": "01", "marital_status": "1",
			"residence_type": "1", "permanent_address": address, "current_address": address, "neighbourhood": neighbourhood,
			"relation_to_head": relation, "match_result": pick(r, []string{"KHOP", "KHOP", "KHOP", "CHUA_DOI_CHIEU"}),
			"hometown": pick(r, hometowns),
		}
		if woman {
			p["sex"] = "2"
		}
		if year-born >= 16 && r.IntN(10) < 8 {
			p["phone"] = phone(r)
		}
		if born < 2003 && r.IntN(4) == 0 {
			p["old_id_9"] = fmt.Sprintf("02%07d", r.IntN(10_000_000))
		}
		if r.IntN(12) == 0 {
			p["ethnic"] = "04"
		}
		if r.IntN(3) > 0 {
			p["health_ins_no"] = fmt.Sprintf("79%08d", r.IntN(100_000_000))
		}
		return p
	}
	head := base(headWoman, headBorn, fullName(r, kin, headWoman), "01")
	members := []person{head}
	if r.IntN(10) < 6 && year-headBorn >= 22 {
		born := min(headBorn-4+r.IntN(9), year-20)
		wife := !headWoman
		other := kin
		if r.IntN(20) > 0 {
			other = family(r)
		}
		spouse := base(wife, born, fullName(r, other, wife), "02")
		head["marital_status"], spouse["marital_status"] = "2", "2"
		head["spouse_id"], spouse["spouse_id"] = spouse["personal_id"], head["personal_id"]
		members = append(members, spouse)
	} else if headBorn < 1960 && r.IntN(2) == 0 {
		head["marital_status"] = "4"
	}
	for range r.IntN(4) {
		born := headBorn + 22 + r.IntN(14)
		if born > year-1 {
			break
		}
		woman := r.IntN(2) == 0
		members = append(members, base(woman, born, fullName(r, kin, woman), "03"))
	}
	if headBorn > 1965 && r.IntN(5) == 0 {
		woman := r.IntN(2) == 0
		parent := base(woman, headBorn-20-r.IntN(12), fullName(r, kin, woman), "04")
		parent["marital_status"] = "4"
		members = append(members, parent)
	}
	if r.IntN(8) == 0 { // lodgers: registered elsewhere
		born := 1990 + r.IntN(15)
		woman := r.IntN(2) == 0
		lodger := base(woman, born, fullName(r, family(r), woman), "08")
		lodger["residence_type"] = "2"
		members = append(members, lodger)
	}
	return members
}
