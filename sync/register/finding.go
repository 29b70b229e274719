package register

// Level says what a finding means for its record. None of them stops a save.
type Level string

// The levels.
const (
	Error   Level = "E" // stops submitting and approval
	Warning Level = "W" // wants a reason; leaves the record out of batch approval
	Info    Level = "I"
)

// ErrorGroup is one of the eight error groups in which the authority reports
// the quality of its data.
type ErrorGroup int

// The error groups.
const (
	GroupMissing       ErrorGroup = 1 // missing or placeholder
	GroupRange         ErrorGroup = 2 // out of range
	GroupDuplicate     ErrorGroup = 3
	GroupFormat        ErrorGroup = 4
	GroupReference     ErrorGroup = 5 // broken reference
	GroupContradiction ErrorGroup = 6 // between fields
	GroupStale         ErrorGroup = 7
	GroupNational      ErrorGroup = 8 // differs from the national reference
)

// Finding is one thing to look at in a record. Code is stable and may be
// stored and counted; the texts are for people.
type Finding struct {
	Field string     `json:"field"`
	Level Level      `json:"level"`
	Code  string     `json:"code"`
	Group ErrorGroup `json:"group"`
	VI    string     `json:"vi"`
	EN    string     `json:"en"`
}

// Error makes a finding the error of Normalise.
func (f *Finding) Error() string { return f.Field + ": " + f.Code + ": " + f.EN }

// Worst returns the gravest level among findings, or "" for none.
func Worst(findings []Finding) Level {
	var worst Level
	for _, f := range findings {
		switch {
		case f.Level == Error:
			return Error
		case f.Level == Warning || worst == "":
			worst = f.Level
		}
	}
	return worst
}
