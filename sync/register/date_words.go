package register

import "strings"

// digitWords are the digits as read aloud, folded by K3. The second spellings
// are those used behind a ten.
var digitWords = map[string]int{
	"khong": 0, "mot": 1, "hai": 2, "ba": 3, "bon": 4, "tu": 4, "nam": 5, "lam": 5, "nham": 5,
	"sau": 6, "bay": 7, "tam": 8, "chin": 9,
}

// ParseDateWords reads a date written out, as civil-status books hold it
// beside the figures: "Ngày mùng năm, tháng tám, năm một nghìn chín trăm tám
// mươi". It works without diacritics too. The error is ErrFormat or ErrInvalid.
func ParseDateWords(s string) (PartialDate, error) {
	if len(s) > 400 {
		return PartialDate{}, ErrFormat
	}
	words := strings.FieldsFunc(K3(s), func(r rune) bool { return strings.ContainsRune(" ,.;:-()", r) })
	// "nam" is both five and year, and "tu" is both four and April's name, so
	// the markers are found from the front: ngày, then tháng, then the last
	// "nam" that is followed by a year's thousands.
	month := -1
	for i, w := range words {
		if w == "thang" {
			month = i
			break
		}
	}
	year := -1
	for i := max(month, 0); i < len(words); i++ {
		if words[i] == "nam" && i+2 < len(words) && (words[i+2] == "nghin" || words[i+2] == "ngan") {
			year = i
			break
		}
	}
	if year < 0 {
		return PartialDate{}, ErrFormat
	}
	var d PartialDate
	ok := true
	if d.Year, ok = wordsNumber(words[year+1:]); !ok {
		return PartialDate{}, ErrFormat
	}
	if month >= 0 {
		if d.Month, ok = monthWord(words[month+1 : year]); !ok {
			return PartialDate{}, ErrFormat
		}
		if day := words[:month]; len(day) > 0 {
			if day[0] == "ngay" {
				day = day[1:]
			}
			if len(day) > 0 && (day[0] == "mung" || day[0] == "mong") {
				day = day[1:]
			}
			if d.Day, ok = wordsNumber(day); !ok {
				return PartialDate{}, ErrFormat
			}
		}
	} else if year > 0 {
		return PartialDate{}, ErrFormat
	}
	checked, err := ParseDate(d.String())
	if err != nil {
		return PartialDate{}, ErrInvalid
	}
	return checked, nil
}

func monthWord(words []string) (int, bool) {
	if len(words) == 1 {
		switch words[0] {
		case "gieng":
			return 1, true
		case "chap":
			return 12, true
		}
	}
	return wordsNumber(words)
}

// wordsNumber reads a number up to 9999.
func wordsNumber(words []string) (int, bool) {
	if len(words) == 0 || len(words) > 9 {
		return 0, false
	}
	total, digit, pending := 0, 0, false
	for _, w := range words {
		switch w {
		case "nghin", "ngan", "tram", "muoi":
			unit := map[string]int{"nghin": 1000, "ngan": 1000, "tram": 100, "muoi": 10}[w]
			if !pending {
				if unit != 10 {
					return 0, false
				}
				digit = 1 // mười: ten
			}
			total += digit * unit
			digit, pending = 0, false
		case "linh", "le":
			if pending {
				return 0, false
			}
		default:
			n, known := digitWords[w]
			if !known || pending {
				return 0, false
			}
			digit, pending = n, true
		}
	}
	return total + digit, true
}
