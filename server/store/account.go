package store

import "time"

// AccountID names an account for ever, also after it is disabled: 26 lower-case
// base32 characters of 128 random bits.
type AccountID string

// Role is what an account may be in its unit.
type Role string

// The roles. Their texts are stored and sent; they never change.
const (
	RoleOfficer    Role = "officer"
	RoleSupervisor Role = "supervisor"
	RoleHub        Role = "hub"
	RoleAdmin      Role = "admin"
)

// Valid says whether r is one of the roles.
func (r Role) Valid() bool {
	switch r {
	case RoleOfficer, RoleSupervisor, RoleHub, RoleAdmin:
		return true
	}
	return false
}

// Account is one person, or the hub, as the server knows them.
type Account struct {
	ID          AccountID
	Name        string // what one signs in with: NFC, lower case, unique
	DisplayName string // NFC
	Role        Role
	Unit        string // 5-digit unit code; empty for hub and admin
	Sensitive   bool   // may read and write fields of the sensitive class of its unit
	Disabled    bool

	PasswordHash string // argon2id in PHC form; never leaves the auth package
	MustChange   bool   // the password was set by somebody else
	// FirstDeviceFree lets the account enrol one device without a code. It is set
	// for accounts made at the server's own command line and cleared by the first
	// enrolment.
	FirstDeviceFree bool

	CreatedAt time.Time
	ChangedAt time.Time
}
