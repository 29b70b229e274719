package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wardbook/server/audit"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// Accounts administers accounts, devices and enrolment codes. Every method takes
// who does it, judges that within its own transaction, and writes the audit log
// there. Its methods may be called from any goroutine.
type Accounts struct {
	store    *sqlite.Store
	hasher   *hasher
	sessions *Sessions
	now      func() time.Time
	random   io.Reader
	isUnit   func(code string) bool
}

// AccountOptions are the optional parts of NewAccounts.
type AccountOptions struct {
	Now    func() time.Time       // default time.Now
	Random io.Reader              // default crypto/rand
	Cost   Cost                   // default DefaultCost
	IsUnit func(code string) bool // which unit codes exist; default: any five digits
}

var fiveDigits = regexp.MustCompile(`^[0-9]{5}$`)

// NewAccounts returns the administration of the store's accounts.
func NewAccounts(st *sqlite.Store, o AccountOptions) (*Accounts, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost
	}
	if o.IsUnit == nil {
		o.IsUnit = fiveDigits.MatchString
	}
	h, err := newHasher(o.Cost, o.Random)
	if err != nil {
		return nil, err
	}
	return &Accounts{store: st, hasher: h, sessions: newSessions(o.Now), now: o.Now, random: o.Random, isUnit: o.IsUnit}, nil
}

// NewAccount is what Create needs.
type NewAccount struct {
	Name        string
	DisplayName string // default: the name
	Role        store.Role
	Unit        string
	Sensitive   bool
	Password    string // empty: a random one is made
	MustChange  bool   // its user must set another before anything else
	// FirstDeviceFree lets the first device enrol without a code: for the account
	// that is to issue the codes.
	FirstDeviceFree bool
}

var accountName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*$`)

// NormalName returns the form in which an account's name is stored and found:
// NFC, lower case, without spaces around it.
func NormalName(name string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(name))))
}

// begin starts an administrator's act: it returns by anew, if they may.
func (a *Accounts) begin(tx *sqlite.Tx, by Principal, now time.Time) (Principal, error) {
	by, err := Current(tx, by, now)
	if err != nil {
		return by, err
	}
	return by, Can(by, Administer, "", 0)
}

// note appends the act to the audit log.
func note(tx *sqlite.Tx, by Principal, now time.Time, action, unit, subject string, detail map[string]string) error {
	return audit.Append(tx, now, audit.Entry{Actor: by.Account, Device: by.Device, Action: action, Unit: unit, Subject: subject, Detail: detail})
}

// Create makes an account and returns it with its password.
func (a *Accounts) Create(ctx context.Context, by Principal, n NewAccount) (store.Account, string, error) {
	id, err := newID(a.random)
	if err != nil {
		return store.Account{}, "", err
	}
	acc := store.Account{
		ID: store.AccountID(id), Name: NormalName(n.Name), DisplayName: norm.NFC.String(strings.TrimSpace(n.DisplayName)),
		Role: n.Role, Unit: n.Unit, Sensitive: n.Sensitive, MustChange: n.MustChange, FirstDeviceFree: n.FirstDeviceFree,
	}
	if acc.DisplayName == "" {
		acc.DisplayName = acc.Name
	}
	if length := utf8.RuneCountInString(acc.Name); !accountName.MatchString(acc.Name) || length < 3 || length > 40 {
		return store.Account{}, "", ErrAccountName
	}
	if err := a.check(acc); err != nil {
		return store.Account{}, "", err
	}
	password, hash, err := a.newPassword(ctx, n.Password, acc.Name)
	if err != nil {
		return store.Account{}, "", err
	}
	acc.PasswordHash = hash
	err = a.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := a.now()
		by, err := a.begin(tx, by, now)
		if err != nil {
			return err
		}
		acc.CreatedAt, acc.ChangedAt = now, now
		if err := tx.InsertAccount(acc); errors.Is(err, store.ErrExists) {
			return ErrAccountExists
		} else if err != nil {
			return err
		}
		return note(tx, by, now, "account.create", acc.Unit, string(acc.ID), map[string]string{"role": string(acc.Role), "sensitive": fmt.Sprint(acc.Sensitive)})
	})
	if err != nil {
		return store.Account{}, "", err
	}
	return acc, password, nil
}

// check judges what does not depend on the database.
func (a *Accounts) check(acc store.Account) error {
	if length := utf8.RuneCountInString(acc.DisplayName); length < 1 || length > 100 || strings.ContainsFunc(acc.DisplayName, func(r rune) bool { return r < ' ' }) {
		return ErrDisplayName
	}
	if !acc.Role.Valid() {
		return ErrRole
	}
	ofUnit := acc.Role == store.RoleOfficer || acc.Role == store.RoleSupervisor
	if ofUnit != (acc.Unit != "") || ofUnit && !a.isUnit(acc.Unit) {
		return ErrUnit
	}
	return nil
}

// newPassword returns the password, a random one for none, and its hash.
func (a *Accounts) newPassword(ctx context.Context, password, name string) (string, string, error) {
	if password == "" {
		var err error
		if password, err = newSecret(a.random, 16); err != nil {
			return "", "", err
		}
	} else if err := a.hasher.checkPassword(password, name); err != nil {
		return "", "", err
	}
	hash, err := a.hasher.hash(ctx, password)
	return password, hash, err
}

// Change is what to alter of an account; nil leaves as it is.
type Change struct {
	DisplayName *string
	Role        *store.Role
	Unit        *string
	Sensitive   *bool
	Disabled    *bool
}

// Alter changes an account: moves it to another unit, gives it another role,
// disables or enables it. Its sockets end at once, to come back under the new
// rights; disabling ends its sign-ins too. The last enabled administrator cannot
// be disabled or demoted.
func (a *Accounts) Alter(ctx context.Context, by Principal, id store.AccountID, c Change) (store.Account, error) {
	var acc store.Account
	err := a.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := a.now()
		by, err := a.begin(tx, by, now)
		if err != nil {
			return err
		}
		old, err := tx.Account(id)
		if err != nil {
			return err
		}
		acc = old
		acc.ChangedAt = now
		set(&acc.DisplayName, c.DisplayName)
		acc.DisplayName = norm.NFC.String(strings.TrimSpace(acc.DisplayName))
		set(&acc.Role, c.Role)
		set(&acc.Unit, c.Unit)
		set(&acc.Sensitive, c.Sensitive)
		set(&acc.Disabled, c.Disabled)
		if err := a.check(acc); err != nil {
			return err
		}
		if err := tx.UpdateAccount(acc); err != nil {
			return err
		}
		if err := keepAnAdmin(tx, old, acc); err != nil {
			return err
		}
		if err := noteAlterations(tx, by, now, old, acc); err != nil {
			return err
		}
		if old.Unit != "" && (old.Unit != acc.Unit || old.Role != acc.Role || old.Sensitive != acc.Sensitive) {
			// What its devices wrote before they hear of this is judged by it.
			if err := tx.EndRights(old.Name, &ledger.Rights{Unit: old.Unit, Sensitive: old.Sensitive, EndedAt: now.UnixMilli()}); err != nil {
				return err
			}
		}
		return a.endAfterAlter(tx, now, old, acc)
	})
	return acc, err
}

// Reassign gives the accounts of units another unit, in the transaction that
// changes the list of units: moves says which. Its caller has judged whether by
// may. It returns how many went.
func (a *Accounts) Reassign(tx *sqlite.Tx, by Principal, now time.Time, moves map[string]string) (int, error) {
	if len(moves) == 0 {
		return 0, nil
	}
	var all []store.Account
	for after := ""; ; {
		page, err := tx.Accounts(after, 500)
		if err != nil {
			return 0, err
		}
		all = append(all, page...)
		if len(page) < 500 {
			break
		}
		after = page[len(page)-1].Name
	}
	n := 0
	for _, old := range all {
		to, ok := moves[old.Unit]
		if !ok || old.Unit == "" {
			continue
		}
		acc := old
		acc.Unit, acc.ChangedAt = to, now
		if err := tx.UpdateAccount(acc); err != nil {
			return n, err
		}
		if err := noteAlterations(tx, by, now, old, acc); err != nil {
			return n, err
		}
		if err := tx.EndRights(old.Name, &ledger.Rights{Unit: old.Unit, Sensitive: old.Sensitive, EndedAt: now.UnixMilli()}); err != nil {
			return n, err
		}
		if err := a.endAfterAlter(tx, now, old, acc); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// keepAnAdmin refuses a change that leaves nobody to administer.
func keepAnAdmin(tx *sqlite.Tx, old, acc store.Account) error {
	was := old.Role == store.RoleAdmin && !old.Disabled
	is := acc.Role == store.RoleAdmin && !acc.Disabled
	if !was || is {
		return nil
	}
	n, err := tx.CountAccounts(store.RoleAdmin)
	if err == nil && n == 0 {
		err = ErrLastAdmin
	}
	return err
}

// noteAlterations writes one audit entry for each thing that changed.
func noteAlterations(tx *sqlite.Tx, by Principal, now time.Time, old, acc store.Account) error {
	id := string(acc.ID)
	if old.Disabled != acc.Disabled {
		action := "account.enable"
		if acc.Disabled {
			action = "account.disable"
		}
		if err := note(tx, by, now, action, acc.Unit, id, nil); err != nil {
			return err
		}
	}
	if old.Unit != acc.Unit {
		if err := note(tx, by, now, "account.move", acc.Unit, id, map[string]string{"from": old.Unit, "to": acc.Unit}); err != nil {
			return err
		}
	}
	if old.Role != acc.Role || old.Sensitive != acc.Sensitive {
		if err := note(tx, by, now, "account.role", acc.Unit, id, map[string]string{
			"from": string(old.Role), "to": string(acc.Role), "sensitive": fmt.Sprint(acc.Sensitive)}); err != nil {
			return err
		}
	}
	if old.DisplayName != acc.DisplayName {
		return note(tx, by, now, "account.rename", acc.Unit, id, nil)
	}
	return nil
}

// endAfterAlter ends what the change takes away.
func (a *Accounts) endAfterAlter(tx *sqlite.Tx, now time.Time, old, acc store.Account) error {
	var reason error
	switch {
	case acc.Disabled && !old.Disabled:
		reason = ErrDisabled
		if err := tx.RevokeFamiliesOfAccount(acc.ID, "", now, "account_disabled"); err != nil {
			return err
		}
	case old.Unit != acc.Unit || old.Role != acc.Role || old.Sensitive != acc.Sensitive:
		reason = ErrChanged
	default:
		return nil
	}
	tx.AfterCommit(func() { a.sessions.end(acc.ID, reason, nil) })
	return noteChange(tx)
}

// ResetPassword gives the account another password, which its user must change
// at once, and ends all its sign-ins. An empty password means a random one. It
// returns the password.
func (a *Accounts) ResetPassword(ctx context.Context, by Principal, id store.AccountID, password string) (string, error) {
	var name string
	if err := a.store.View(ctx, func(tx *sqlite.Tx) error {
		if _, err := a.begin(tx, by, a.now()); err != nil { // before any work is spent on it
			return err
		}
		acc, err := tx.Account(id)
		name = acc.Name
		return err
	}); err != nil {
		return "", err
	}
	password, hash, err := a.newPassword(ctx, password, name)
	if err != nil {
		return "", err
	}
	err = a.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := a.now()
		by, err := a.begin(tx, by, now)
		if err != nil {
			return err
		}
		acc, err := tx.Account(id)
		if err != nil {
			return err
		}
		acc.PasswordHash, acc.MustChange, acc.ChangedAt = hash, true, now
		if err := tx.UpdateAccount(acc); err != nil {
			return err
		}
		if err := tx.RevokeFamiliesOfAccount(id, "", now, "password_reset"); err != nil {
			return err
		}
		if err := tx.DeletePinsOfAccount(id); err != nil { // whoever set them may be why it is reset
			return err
		}
		tx.AfterCommit(func() { a.sessions.end(id, ErrSignedOut, nil) })
		if err := noteChange(tx); err != nil {
			return err
		}
		return note(tx, by, now, "account.reset_password", acc.Unit, string(id), nil)
	})
	return password, err
}

// List returns up to limit accounts after the given name, by name.
func (a *Accounts) List(ctx context.Context, by Principal, after string, limit int) (all []store.Account, err error) {
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		if _, err := a.begin(tx, by, a.now()); err != nil {
			return err
		}
		all, err = tx.Accounts(after, limit)
		return err
	})
	return all, err
}

// Find returns the account with this name, in any case and normal form.
func (a *Accounts) Find(ctx context.Context, by Principal, name string) (acc store.Account, err error) {
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		if _, err := a.begin(tx, by, a.now()); err != nil {
			return err
		}
		acc, err = tx.AccountByName(NormalName(name))
		return err
	})
	return acc, err
}

// AuditTail returns up to limit entries of the audit log before seq (0: from the
// newest), newest first.
func (a *Accounts) AuditTail(ctx context.Context, by Principal, before int64, limit int) (all []store.AuditEntry, err error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		if _, err := a.begin(tx, by, a.now()); err != nil {
			return err
		}
		all, err = tx.AuditBefore(before, limit)
		return err
	})
	return all, err
}

// VerifyAudit walks the audit log; see audit.Verify.
func (a *Accounts) VerifyAudit(ctx context.Context, by Principal, kept ...audit.Head) (head audit.Head, err error) {
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		if _, err := a.begin(tx, by, a.now()); err != nil {
			return err
		}
		head, err = audit.Verify(tx, kept...)
		return err
	})
	return head, err
}

// newID returns 128 random bits as 26 lower-case base32 characters.
func newID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}

// pageLimit bounds a list's page.
func pageLimit(limit int) (int, error) {
	const most = 200
	switch {
	case limit == 0:
		return most, nil
	case limit < 0 || limit > most:
		return 0, rpc.ErrInvalid.At("limit")
	}
	return limit, nil
}

// Own returns the principal's own account, without its password hash.
func (a *Accounts) Own(ctx context.Context, p Principal) (acc store.Account, err error) {
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		if _, err := Current(tx, p, a.now()); err != nil {
			return err
		}
		acc, err = tx.Account(p.Account)
		return err
	})
	acc.PasswordHash = ""
	return acc, err
}
