package auth

import (
	"fmt"
	"testing"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// may is the whole policy, written down a second time as a table: what each
// role may do in its own unit and in another, by class and by the account's
// access to the sensitive class. "own" and "any" say where.
var may = map[store.Role]map[Action]string{
	store.RoleOfficer:    {ReadRecord: "own", WriteRecord: "own", Reveal: "own"},
	store.RoleSupervisor: {ReadRecord: "own", WriteRecord: "own", Reveal: "own", Review: "own"},
	store.RoleHub:        {HubPull: "any"},
	store.RoleAdmin:      {},
}

func TestCanMatrix(t *testing.T) {
	const own, other = "26734", "26737"
	roles := []store.Role{store.RoleOfficer, store.RoleSupervisor, store.RoleHub, store.RoleAdmin, "king", ""}
	allowed, cells := 0, 0
	for _, role := range roles {
		for action := Action(0); action <= Administer+1; action++ {
			for _, unit := range []string{own, other, ""} {
				for class := Class(0); class <= Sensitive+1; class++ {
					for _, sensitive := range []bool{false, true} {
						for _, mustChange := range []bool{false, true} {
							p := Principal{Role: role, Sensitive: sensitive, MustChange: mustChange}
							if role == store.RoleOfficer || role == store.RoleSupervisor {
								p.Unit = own
							}
							where := may[role][action]
							want := where == "any" && unit != "" || where == "own" && unit == own
							want = want && (class == Basic || class == Sensitive && sensitive)
							if action == Administer {
								want = role == store.RoleAdmin
							}
							want = want && !mustChange
							err := Can(p, action, unit, class)
							if (err == nil) != want {
								t.Errorf("%s %s unit %q class %s sensitive %t mustChange %t: got %v, want allowed %t",
									role, action, unit, class, sensitive, mustChange, err, want)
							}
							cells++
							if err == nil {
								allowed++
							}
						}
					}
				}
			}
		}
	}
	// A policy that allows all, or nothing, would agree with a table that does.
	if allowed == 0 || allowed*5 > cells {
		t.Errorf("allowed %d of %d cells", allowed, cells)
	}
}

func TestARefusalTellsNothing(t *testing.T) {
	e := rpc.Public(Can(Principal{Role: store.RoleOfficer, Unit: "26734"}, ReadRecord, "26737", Basic))
	if e.Code != "forbidden" || e.Vi != rpc.ErrForbidden.Vi || e.En != rpc.ErrForbidden.En || e.Field != "" {
		t.Errorf("got %+v", e)
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"0771234001", "07•••••001"},
		{"077 123 4001", "07•••••001"},
		{"079203001234", "07•••••••234"},
		{"025123456", "02••••456"},
		{"12345678", "12•••678"},
		{"1234567", "•••••••"},
		{"", ""},
		{"Đặng Thị Mai", "Đặ•••••Mai"},
	} {
		if got := Mask(c.in); got != c.want {
			t.Errorf("Mask(%q): got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestRevealIsAuditedOrRefused(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	_, p := f.login(t, "officer.a")
	reveal := func(unit string, class Class, reason string) error {
		return f.store.Update(ctx, func(tx *sqlite.Tx) error {
			return RecordReveal(tx, p, f.clock.now(), unit, class, "abcd-1", []string{"personal_id", "phone"}, reason)
		})
	}
	before := len(f.actions(t))
	wantErr(t, "another unit", reveal("26737", Basic, "verify"), rpc.ErrForbidden)
	wantErr(t, "sensitive", reveal("26734", Sensitive, "verify"), rpc.ErrForbidden)
	wantErr(t, "no reason", reveal("26734", Basic, ""), ErrReason)
	if n := len(f.actions(t)); n != before {
		t.Errorf("refused reveals wrote %d entries", n-before)
	}
	wantErr(t, "own", reveal("26734", Basic, "verify"), nil)
	actions := f.actions(t)
	if len(actions) != before+1 || actions[before] != "record.reveal" {
		t.Errorf("audit: got %v", actions[before:])
	}
}

func TestPasswordRules(t *testing.T) {
	h, err := newHasher(cheap, zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		password string
		want     error
	}{
		{goodPassword, nil},
		{"bến đò chiều nay", nil},
		{"kx7-mq2-rt9", nil},
		{"mườichữcái", nil},
		{"chínchữ89", ErrPasswordShort},
		{"mu\u031bo\u031b\u0300i chu\u031b\u0303 n", nil}, // ten in NFC, fourteen as typed
		{"e\u0302\u0301e\u0302\u0301e\u0302\u0301e\u0302\u0301", ErrPasswordShort},
		{"matkhau123456", ErrPasswordCommon},
		{"MậtKhẩu@2024", ErrPasswordCommon},
		{"mật khẩu 2025!", ErrPasswordCommon},
		{"!!password!!", ErrPasswordCommon},
		{"qwertyuiop", ErrPasswordCommon},
		{"anhyeuem2000", ErrPasswordCommon},
		{"ConHeoCon99", ErrPasswordCommon},
		{"0901234567", ErrPasswordCommon},
		{"01/01/1990", ErrPasswordCommon},
		{"aaaaaaaaaaaa", ErrPasswordCommon},
		{"abababababab", ErrPasswordCommon},
		{"bcdefghijklm", ErrPasswordCommon},
		{"officer.a2024", ErrPasswordCommon},
		{"tôi là officer.a ở phường này", nil},
		{"\xff\xfe\xfd\xff\xfe\xfd\xff\xfe\xfd\xff", ErrPasswordCommon},
		{fmt.Sprintf("%0600d", 7), ErrPasswordLong},
	} {
		wantErr(t, fmt.Sprintf("%.30q", c.password), h.checkPassword(c.password, "officer.a"), c.want)
	}
	if len(h.breached) < 200 {
		t.Errorf("the list holds %d passwords", len(h.breached))
	}
	made, err := NewPassword()
	if err != nil || h.checkPassword(made, "officer.a") != nil || len(made) != 19 {
		t.Errorf("random password %q, %v", made, err)
	}
}

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestHashesOfTheStatedCost(t *testing.T) {
	h, err := newHasher(DefaultCost, zeroReader{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	phc, err := h.hash(ctx, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("one hash took %v", time.Since(began))
	c, salt, _, err := parsePHC(phc)
	if err != nil || c != DefaultCost || len(salt) != saltBytes {
		t.Errorf("got %s: %+v, %v", phc, c, err)
	}
	if ok, err := verify(goodPassword, phc); !ok || err != nil {
		t.Errorf("the right password: got %t, %v", ok, err)
	}
	if ok, err := verify(goodPassword+"x", phc); ok || err != nil {
		t.Errorf("a wrong password: got %t, %v", ok, err)
	}
	// A hash that asks for absurd work is refused, not computed.
	for _, bad := range []string{"", "x", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAA$AAAA", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA"} {
		if _, _, _, err := parsePHC(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}
