package register

// Problem is the error of the parsers here: the stable code of what is wrong
// with one piece of text. It is an error value, compared with ==.
type Problem string

// The problems that a parser can name.
const (
	ErrFormat    Problem = "E_FORMAT"            // not of this kind at all
	ErrInvalid   Problem = "E_INVALID"           // the right shape, but no such day
	ErrCentury   Problem = "E_AMBIGUOUS_CENTURY" // a year of two digits
	ErrSerial    Problem = "E_EXCEL_SERIAL"      // a spreadsheet's day number; see ParseExcelDate
	ErrChecksum  Problem = "E_CHECKSUM"
	ErrComponent Problem = "E_COMPONENT" // a part that is never issued
	ErrRange     Problem = "E_RANGE"
)

func (p Problem) Error() string { return string(p) }
