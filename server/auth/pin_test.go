package auth

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

var (
	pinHandle = bytes.Repeat([]byte{1}, pinSecretBytes)
	rightPin  = bytes.Repeat([]byte{2}, pinSecretBytes)
	wrongPin  = bytes.Repeat([]byte{3}, pinSecretBytes)
)

// withPin is an officer's device that has a PIN, and the server's half.
func withPin(t *testing.T) (*fixture, Grant, Principal, []byte) {
	t.Helper()
	f := byPassword(t)
	f.account(t, "the.root", store.RoleAdmin, "")
	f.account(t, "officer.an", store.RoleOfficer, "26734")
	g, p := f.login(t, "officer.an")
	half, err := f.SetPin(ctx, p, pinHandle, rightPin)
	if err != nil || len(half) != 32 {
		t.Fatalf("set: got %x, %v", half, err)
	}
	return f, g, p, half
}

func (f *fixture) byPin(device store.DeviceID, handle, proof []byte) ([]byte, error) {
	return f.OpenByPin(ctx, device, handle, proof, netip.Addr{})
}

func TestPinOpens(t *testing.T) {
	f, g, p, half := withPin(t)
	if got, err := f.byPin(g.Device.ID, pinHandle, rightPin); err != nil || !bytes.Equal(got, half) {
		t.Fatalf("got %x, %v, want %x", got, err, half)
	}
	// Another device has another half, and a PIN that is set anew does.
	_, other := f.login(t, "officer.an")
	second, err := f.SetPin(ctx, other, pinHandle, rightPin)
	if err != nil || bytes.Equal(second, half) {
		t.Errorf("another device: got the same half, %v", err)
	}
	anew, err := f.SetPin(ctx, p, pinHandle, rightPin)
	if err != nil || bytes.Equal(anew, half) {
		t.Errorf("set anew: got the same half, %v", err)
	}
	if err := f.ForgetPin(ctx, p); err != nil {
		t.Fatal(err)
	}
	if _, err := f.byPin(g.Device.ID, pinHandle, rightPin); !errors.Is(err, ErrPinGone) {
		t.Errorf("forgotten: got %v, want %v", err, ErrPinGone)
	}
	if _, err := f.byPin(other.Device, pinHandle, rightPin); err != nil {
		t.Errorf("the other device's PIN went too: %v", err)
	}
	for _, c := range [][2][]byte{{pinHandle[1:], rightPin}, {pinHandle, nil}} {
		if _, err := f.SetPin(ctx, p, c[0], c[1]); !errors.Is(err, rpc.ErrMalformed) {
			t.Errorf("handle and proof of %d and %d bytes: got %v", len(c[0]), len(c[1]), err)
		}
	}
}

// TestPinIsSpent lets nobody guess more than pinAttempts times in a row,
// whether one after another or all at once, and then not with the right PIN.
func TestPinIsSpent(t *testing.T) {
	f, g, p, _ := withPin(t)
	try := func(proof []byte) error { _, err := f.byPin(g.Device.ID, pinHandle, proof); return err }
	for i := range pinAttempts - 1 {
		err := try(wrongPin)
		if !errors.Is(err, ErrPinWrong) {
			t.Fatalf("attempt %d: got %v, want %v", i+1, err, ErrPinWrong)
		}
		var e *rpc.Error
		if left := string(rune('0' + pinAttempts - 1 - i)); errors.As(err, &e) && !strings.Contains(e.Vi, "Còn "+left) {
			t.Errorf("attempt %d says %q, want %s left", i+1, e.Vi, left)
		}
	}
	if err := try(rightPin); err != nil {
		t.Fatalf("the last attempt, right: %v", err)
	}
	for range pinAttempts - 1 {
		if err := try(wrongPin); !errors.Is(err, ErrPinWrong) {
			t.Fatalf("the right PIN did not set the count to nought: %v", err)
		}
	}
	if err := try(wrongPin); !errors.Is(err, ErrPinGone) {
		t.Fatalf("one too many: got %v, want %v", err, ErrPinGone)
	}
	if err := try(rightPin); !errors.Is(err, ErrPinGone) {
		t.Fatalf("a spent PIN opens: %v", err)
	}
	if got := f.actions(t); !slices.Contains(got, "pin.spent") || !slices.Contains(got, "pin.failed") || !slices.Contains(got, "pin.open") {
		t.Errorf("the log has %v", got)
	}

	if _, err := f.SetPin(ctx, p, pinHandle, rightPin); err != nil {
		t.Fatal(err)
	}
	var wrong, gone int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			err := try(wrongPin)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ErrPinWrong):
				wrong++
			case errors.Is(err, ErrPinGone):
				gone++
			default:
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if wrong != pinAttempts-1 || gone != 40-wrong {
		t.Errorf("40 at once: %d were judged wrong, %d gone; want %d and the rest", wrong, gone, pinAttempts-1)
	}
}

// TestPinIsWithheld from a revoked device, a disabled account, and who has no
// copy of the profile; the latter costs the device nothing.
func TestPinIsWithheld(t *testing.T) {
	t.Run("Stranger", func(t *testing.T) {
		f, g, _, _ := withPin(t)
		from := netip.MustParseAddr("203.0.113.7")
		var last error
		for range 2 * addressAttempts {
			_, last = f.OpenByPin(ctx, g.Device.ID, wrongPin, rightPin, from)
		}
		if !errors.Is(last, ErrThrottled) {
			t.Errorf("after %d guesses: got %v, want %v", 2*addressAttempts, last, ErrThrottled)
		}
		if _, err := f.byPin("no-such-device", pinHandle, rightPin); !errors.Is(err, ErrPinGone) {
			t.Errorf("unknown device: got %v", err)
		}
		if _, err := f.byPin(g.Device.ID, pinHandle, rightPin); err != nil {
			t.Errorf("strangers have taken the PIN away: %v", err)
		}
	})
	t.Run("Revoked", func(t *testing.T) {
		f, g, _, _ := withPin(t)
		if err := f.RevokeDevice(ctx, Console(), g.Device.ID, "lost", true); err != nil {
			t.Fatal(err)
		}
		if got, err := f.byPin(g.Device.ID, pinHandle, rightPin); !errors.Is(err, ErrDeviceRevoked) || got != nil {
			t.Errorf("got %x, %v, want %v", got, err, ErrDeviceRevoked)
		}
	})
	t.Run("Disabled", func(t *testing.T) {
		f, g, p, _ := withPin(t)
		disabled := true
		if _, err := f.Alter(ctx, Console(), p.Account, Change{Disabled: &disabled}); err != nil {
			t.Fatal(err)
		}
		if got, err := f.byPin(g.Device.ID, pinHandle, rightPin); !errors.Is(err, ErrDisabled) || got != nil {
			t.Errorf("got %x, %v, want %v", got, err, ErrDisabled)
		}
	})
	t.Run("Reset", func(t *testing.T) {
		f, g, p, _ := withPin(t)
		if _, err := f.ResetPassword(ctx, Console(), p.Account, ""); err != nil {
			t.Fatal(err)
		}
		if got, err := f.byPin(g.Device.ID, pinHandle, rightPin); !errors.Is(err, ErrPinGone) || got != nil {
			t.Errorf("got %x, %v, want %v", got, err, ErrPinGone)
		}
	})
}
