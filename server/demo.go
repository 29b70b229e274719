package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"wardbook/server/auth"
	"wardbook/server/demo"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

var errNotDemo = errors.New("-demo wants a folder of its own: this one holds accounts that are not the demonstration's")

// demoBegun is there while the demonstration is being made.
const demoBegun = "demo.unfinished"

// prepareDemo fills an empty folder with the demonstration's accounts and
// residents, that many in the first unit and with so many more changes that wait
// there, and returns the accounts. A folder that it filled before is left as it
// is.
func (a *app) prepareDemo(ctx context.Context, first, waiting int) ([]demoAccount, error) {
	begun := filepath.Join(a.cfg.data, demoBegun)
	if _, err := os.Lstat(begun); err == nil {
		return nil, fmt.Errorf("the demonstration was broken off while it was made: delete the folder %s and start again", a.cfg.data)
	}
	list, err := readDemoAccounts(a.cfg.data)
	if err != nil || list != nil {
		return list, err
	}
	existing, err := a.auth.List(ctx, auth.Console(), "", 1)
	if err != nil {
		return nil, err
	}
	if len(existing) > 0 {
		return nil, errNotDemo
	}
	if err := os.WriteFile(begun, nil, 0o600); err != nil {
		return nil, fmt.Errorf("begin the demo data: %w", err)
	}
	residents, _ := a.definition("residents")
	work, err := demo.Residents(ctx, ledgerStore{a.store}, a.ledger, residents, first, nowMillis())
	if err != nil {
		return nil, err
	}
	work.More = waiting
	for _, f := range demo.Former {
		if err := a.makeFormer(ctx, f); err != nil {
			return nil, fmt.Errorf("demo account %s: %w", f.Name, err)
		}
	}
	for _, n := range []auth.NewAccount{
		{Name: "officer.a", DisplayName: "Nguyễn Thị An", Role: store.RoleOfficer, Unit: demo.Units[0], Sensitive: true},
		{Name: "officer.b", DisplayName: "Trần Văn Bình", Role: store.RoleOfficer, Unit: demo.Units[0], Sensitive: true},
		{Name: "officer.c", DisplayName: "Lê Thị Cúc", Role: store.RoleOfficer, Unit: demo.Units[1], Sensitive: true},
		{Name: "supervisor", DisplayName: "Phạm Minh Sơn", Role: store.RoleSupervisor, Unit: demo.Units[0], Sensitive: true},
		{Name: "supervisor.b", DisplayName: "Huỳnh Ngọc Bích", Role: store.RoleSupervisor, Unit: demo.Units[0], Sensitive: true},
		{Name: "hub", DisplayName: "Kho dữ liệu thành phố", Role: store.RoleHub},
		{Name: "admin", DisplayName: "Quản trị viên", Role: store.RoleAdmin},
	} {
		account, password, err := a.auth.Create(ctx, auth.Console(), n)
		if err != nil {
			return nil, fmt.Errorf("demo account %s: %w", n.Name, err)
		}
		list = append(list, demoAccount{account.Name, password})
	}
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(a.cfg.data, demoFile), append(b, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("keep demo accounts: %w", err)
	}
	if err := a.reviewDemo(ctx, work, list); err != nil {
		return nil, fmt.Errorf("review the demo data: %w", err)
	}
	return list, os.Remove(begun)
}

// makeFormer makes the account of an officer who has left. Nobody learns its
// password.
func (a *app) makeFormer(ctx context.Context, f demo.Account) error {
	account, _, err := a.auth.Create(ctx, auth.Console(), auth.NewAccount{Name: f.Name, DisplayName: f.Display, Role: store.RoleOfficer, Unit: f.Unit, Sensitive: true})
	if err != nil {
		return err
	}
	disabled := true
	_, err = a.auth.Alter(ctx, auth.Console(), account.ID, auth.Change{Disabled: &disabled})
	return err
}

// reviewDemo signs the supervisor in and has them work through the records.
func (a *app) reviewDemo(ctx context.Context, work *demo.Review, list []demoAccount) error {
	const supervisor = "supervisor"
	i := slices.IndexFunc(list, func(d demoAccount) bool { return d.Name == supervisor })
	grant, err := a.auth.Login(ctx, auth.Credentials{Name: supervisor, Password: list[i].Password, Label: "wardbook serve -demo"})
	if err != nil {
		return err
	}
	p, err := a.auth.Authenticate(ctx, grant.Access)
	if err != nil {
		return err
	}
	if err := work.Do(auth.NewContext(ctx, p), a.review, [2]string{"officer.a", "officer.b"}); err != nil {
		return err
	}
	return a.auth.Logout(ctx, p, true)
}

// ledgerStore runs the ledger's work in the database's transactions.
type ledgerStore struct{ store *sqlite.Store }

// Update runs work in a write transaction, durable when it returns.
func (s ledgerStore) Update(ctx context.Context, work func(ledger.Tables) error) error {
	return s.store.Update(ctx, func(tx *sqlite.Tx) error { return work(sqlite.LedgerOf(tx)) })
}
