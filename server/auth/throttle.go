package auth

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// A name may fail freeAttempts times, an address, behind which a whole office
// may sit, addressAttempts times; then each further failure doubles the wait.
// An hour without a failure forgets all.
const (
	freeAttempts    = 5
	addressAttempts = 30
	maxWait         = 15 * time.Minute
	throttleMemory  = time.Hour
)

// throttleKey is what failures are counted under, with how many are free.
type throttleKey struct {
	hash store.Hash
	free int
}

// throttleKeys names what one attempt counts for: its address, and the account's
// name. From a device that is enrolled for the account the device stands for the
// name, so that a stranger who fails on purpose locks out only strangers.
func throttleKeys(name string, device store.DeviceID, address netip.Addr) []throttleKey {
	who := "name\x00" + name
	if device != "" {
		who = "device\x00" + string(device)
	}
	keys := []throttleKey{{sha256.Sum256([]byte(who)), freeAttempts}}
	if address.IsValid() {
		bits := 32
		if address.Is6() {
			bits = 64 // one household or office has as many addresses as it likes
		}
		if p, err := address.Prefix(bits); err == nil {
			keys = append(keys, throttleKey{sha256.Sum256([]byte("address\x00" + p.String())), addressAttempts})
		}
	}
	return keys
}

// checkThrottle returns ErrThrottled while one of the keys has to wait.
func checkThrottle(tx *sqlite.Tx, keys []throttleKey, now time.Time) error {
	for _, k := range keys {
		t, err := tx.Throttle(k.hash)
		if err != nil {
			return err
		}
		if wait := t.BlockedUntil.Sub(now); wait > 0 {
			return ErrThrottled.After(min(wait, maxWait)) // a clock set back must not lock out for years
		}
	}
	return nil
}

// countFailure counts one failed attempt for each key.
func countFailure(tx *sqlite.Tx, keys []throttleKey, now time.Time) error {
	for _, k := range keys {
		t, err := tx.Throttle(k.hash)
		if err != nil {
			return err
		}
		if now.Sub(t.LastAt) > throttleMemory {
			t.Failures = 0
		}
		t.Key, t.Failures, t.LastAt, t.BlockedUntil = k.hash, t.Failures+1, now, now
		if over := t.Failures - k.free; over >= 0 {
			t.BlockedUntil = now.Add(min(maxWait, time.Second<<min(over, 20)))
		}
		if err := tx.SetThrottle(t); err != nil {
			return err
		}
	}
	return nil
}

// forgiveSuccess forgets the failures of the name or device that has signed in.
// The address keeps its own: one valid account must not wash an attack clean.
func forgiveSuccess(tx *sqlite.Tx, keys []throttleKey) error {
	t, err := tx.Throttle(keys[0].hash)
	if err != nil || t.Failures == 0 {
		return err
	}
	return tx.ClearThrottle(keys[0].hash)
}
