package replica

import (
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// The structs of this file are what the page is told. Their JSON is the one of
// web/src/bridge.ts: a change here is a change there.

// Place says how far a record's last change has come.
type Place string

// The places, in order.
const (
	PlaceLocal    Place = "local"    // a change of it is on this device only
	PlaceReceived Place = "received" // the server holds everything durably
	PlaceApproved Place = "approved" // all that stands is approved
	PlaceHub      Place = "hub"      // the city's hub has acknowledged the approved version
)

// Account is whose store this is.
type Account struct {
	Name     string `json:"name"`
	Display  string `json:"display"`
	Role     string `json:"role"`
	Unit     string `json:"unit"` // 5-digit code of the home unit
	UnitName string `json:"unitName"`
}

// Row is one line of a list.
type Row struct {
	ID               string   `json:"id"`
	Register         string   `json:"register"`
	Title            string   `json:"title"`
	Cells            []string `json:"cells"` // texts of the register's list columns, masked where the field is
	Place            Place    `json:"place"`
	Stage            string   `json:"stage"`
	Conflict         bool     `json:"conflict"`
	EditedAndDeleted bool     `json:"editedAndDeleted"`
	Deleted          bool     `json:"deleted"`
	ReceivedAt       int64    `json:"receivedAt,omitempty"` // server clock, Unix milliseconds
	ChangedAt        int64    `json:"changedAt,omitempty"`  // device clock of the last change's author
	// Why is where else than in its title a search found it.
	Why []register.Hit `json:"why,omitempty"`
}

// Filter narrows a list.
type Filter string

// The filters. FilterAll leaves out deleted records.
const (
	FilterAll       Filter = "all"
	FilterMine      Filter = "mine"      // records that hold a current value of this account
	FilterConflicts Filter = "conflicts" // a field in conflict, or edited and deleted
	FilterDrafts    Filter = "drafts"    // something stands that nobody submitted
	FilterReturned  Filter = "returned"  // returned, refused or quarantined: something to do
	FilterDeleted   Filter = "deleted"
	FilterUnchecked Filter = "unchecked" // created while only a part of the register could be searched
)

// ListRequest asks for a part of a register.
type ListRequest struct {
	Register string `json:"register"`
	Search   string `json:"search,omitempty"`
	Filter   Filter `json:"filter,omitempty"` // "" is FilterAll
	Offset   int    `json:"offset,omitempty"`
	Limit    int    `json:"limit,omitempty"` // 0 means 50, at most 1000
	First    bool   `json:"first,omitempty"` // answer once the rows are found, without counting on
	Turn     string `json:"turn,omitempty"`  // who asks: another search of theirs ends this one; see package bridge
}

// ListReply is the answer: a page of rows, how many match in all, and how much
// of the register is on the device.
type ListReply struct {
	Rows     []Row `json:"rows"`
	Total    int   `json:"total"`
	Counted  bool  `json:"counted"` // false: total is only what was seen so far
	Have     int   `json:"have"`
	Of       int   `json:"of"`
	Complete bool  `json:"complete"`
}

// Sibling is one of several values that stand beside each other.
type Sibling struct {
	Dot      string `json:"dot"`
	Value    string `json:"value"` // "" where the field is masked
	Display  string `json:"display"`
	By       string `json:"by"`
	At       int64  `json:"at"`
	Received int64  `json:"received"`
	Mine     bool   `json:"mine"`
	Here     bool   `json:"here"` // written on this device
	// Clock is by how many milliseconds the clock of the writing device is known
	// to have been ahead of the server's (below 0: behind), 0 for nothing known.
	Clock int64 `json:"clock,omitempty"`
}

// Advice is which of several values is proposed, and why; see register.Suggest.
type Advice struct {
	Dot string       `json:"dot"`
	Why register.Why `json:"why"`
}

// Settled is a choice that was made on this device and can be undone.
type Settled struct {
	Dot    string   `json:"dot"`
	Others []string `json:"others"` // display texts of the values that gave way
}

// Ancestor is what both sides of a conflict had seen before it.
type Ancestor struct {
	Value   string `json:"value"`
	Display string `json:"display"`
}

// FieldView is one field of a record.
type FieldView struct {
	Name     string    `json:"name"`
	Value    string    `json:"value"` // canonical; "" where the field is masked
	Display  string    `json:"display"`
	Masked   bool      `json:"masked"`
	Conflict []Sibling `json:"conflict"` // empty unless a person has to choose
	Ancestor *Ancestor `json:"ancestor,omitempty"`
	Waiting  bool      `json:"waiting"` // holds a write that nobody approved
	Local    bool      `json:"local"`   // holds a write that the server has not received
	By       string    `json:"by,omitempty"`
	At       int64     `json:"at,omitempty"`
	Received int64     `json:"received,omitempty"`
	// Seen is the version vector behind a conflict. Given back to Settle it
	// binds the choice to what was on the screen.
	Seen    string   `json:"seen,omitempty"`
	Advice  *Advice  `json:"advice,omitempty"`
	Settled *Settled `json:"settled,omitempty"`
}

// AnswerView is one answer to a return.
type AnswerView struct {
	Text string `json:"text"`
	By   string `json:"by"`
	At   int64  `json:"at"`
}

// ReviewView is what the supervisor last did with the record.
type ReviewView struct {
	Decision string       `json:"decision"`
	By       string       `json:"by"`
	At       int64        `json:"at"`
	Comment  string       `json:"comment,omitempty"`
	Fields   []string     `json:"fields,omitempty"`
	Question string       `json:"question,omitempty"`
	Answers  []AnswerView `json:"answers"`
}

// QuarantinedField is a value that the server did not take over.
type QuarantinedField struct {
	Name    string `json:"name"`
	Display string `json:"display"`
}

// QuarantineView is one changeset of this device that is in quarantine.
type QuarantineView struct {
	Counter uint64             `json:"counter"`
	Code    string             `json:"code"`
	VI      string             `json:"vi"`
	EN      string             `json:"en"`
	At      int64              `json:"at"`
	Fields  []QuarantinedField `json:"fields"`
	Settled string             `json:"settled,omitempty"` // "released" or "rejected"
	As      string             `json:"as,omitempty"`      // the first write that it was released as
}

// RecordView is a record as the page shows it.
type RecordView struct {
	ID         string             `json:"id"`
	Register   string             `json:"register"`
	Unit       string             `json:"unit"`
	Definition uint32             `json:"definition"`
	Fields     []FieldView        `json:"fields"`
	Findings   []register.Finding `json:"findings"`
	Life       string             `json:"life"` // conflict.LifeState's text
	Place      Place              `json:"place"`
	Stage      string             `json:"stage"`
	ReceivedAt int64              `json:"receivedAt,omitempty"`
	BackedUp   bool               `json:"backedUp,omitempty"` // what stands in it of this device's survives the loss of the server
	ApprovedAt int64              `json:"approvedAt,omitempty"`
	Review     *ReviewView        `json:"review,omitempty"`
	Quarantine []QuarantineView   `json:"quarantine"`
	MayDelete  bool               `json:"mayDelete"`
	Unchecked  *record.Unchecked  `json:"unchecked,omitempty"` // somebody has to look for duplicates
	Home       *HomeView          `json:"home,omitempty"`      // where somebody sent it, until that unit has taken it over
}

// Form is a record as it was when somebody opened it, kept until it is saved
// or given up. Values holds the canonical text of every field that is filled
// and not masked, and what was typed since; Shown what stood in those fields
// when the form was opened, which Record may have left behind, and Definition
// the version whose fields it can save.
type Form struct {
	Key        string            `json:"key"`
	Record     RecordView        `json:"record"`
	Definition uint32            `json:"definition"`
	Shown      map[string]string `json:"shown"`
	Values     map[string]string `json:"values"`
	IsNew      bool              `json:"isNew"`
	OpenedAt   int64             `json:"openedAt"`
	Dirty      bool              `json:"dirty"`
}

// SaveRequest saves a form. A field that Values does not name stays as it is.
type SaveRequest struct {
	Key     string            `json:"key"`
	Values  map[string]string `json:"values"`
	Submit  bool              `json:"submit"`
	Reasons map[string]string `json:"reasons,omitempty"` // for warnings, by "FIELD CODE"
	// Unchecked marks a new record for a look for duplicates: it was begun from a
	// search that found nobody in what the device held then.
	Unchecked *record.Unchecked `json:"unchecked,omitempty"`
	Answer    string            `json:"answer,omitempty"` // to the supervisor's question that the form shows
}

// SaveReply is the answer to a save. Submitted is false although it was asked
// for if a finding stands in the way: the record is saved all the same.
type SaveReply struct {
	ID        string             `json:"id"`
	Saved     bool               `json:"saved"`
	Submitted bool               `json:"submitted"`
	Findings  []register.Finding `json:"findings"`
	Record    RecordView         `json:"record"`
}

// Step is one write in what the device knows of a record's history.
type Step struct {
	Dot      string `json:"dot"`
	Field    string `json:"field"`
	Value    string `json:"value"`
	Display  string `json:"display"`
	By       string `json:"by"`
	At       int64  `json:"at"`
	Received int64  `json:"received"`
	Current  bool   `json:"current"`
}

// HistoryReply is what the device knows; the full history is the server's.
type HistoryReply struct {
	Steps    []Step `json:"steps"`
	Complete bool   `json:"complete"`
}

// StreamStatus is how much of a register of a unit is on the device.
type StreamStatus struct {
	Register string `json:"register"`
	Unit     string `json:"unit"`
	Have     int    `json:"have"`
	Of       int    `json:"of"`
	Complete bool   `json:"complete"`
}

// Status is how the device stands. Nothing but Synced may be told as "synced".
type Status struct {
	Paused      bool           `json:"paused"` // receiving is held back, by choice or by the budget
	Link        string         `json:"link"`   // offline, connecting or online
	Unsent      int            `json:"unsent"`
	Oldest      int64          `json:"oldest,omitempty"` // device clock of the oldest unsent change
	Sending     int            `json:"sending"`
	Synced      bool           `json:"synced"`
	LastReceipt int64          `json:"lastReceipt,omitempty"` // server clock
	Streams     []StreamStatus `json:"streams"`
	Conflicts   int            `json:"conflicts"`
	Returned    int            `json:"returned"`
	Quarantined int            `json:"quarantined"`
	ClockOffset *int64         `json:"clockOffset,omitempty"` // ms, device minus server; nil until the server was heard
	Failure     *Failure       `json:"failure,omitempty"`
}

// Changed says what a list or a view must read again.
type Changed struct {
	Registers []string `json:"registers"`
	IDs       []string `json:"ids"` // empty when too many to name
}
