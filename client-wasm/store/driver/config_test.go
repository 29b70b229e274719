package driver

import (
	"strings"
	"testing"
	"time"
)

func TestParseDSN(t *testing.T) {
	key := strings.Repeat("ab", KeySize)
	c, err := ParseDSN("officer-a?key=" + key)
	if err != nil || c.Store != "officer-a" || len(c.Key) != KeySize || c.Synchronous != "FULL" || c.Wait != 3*time.Second {
		t.Errorf("got %+v, %v", c, err)
	}
	c, err = ParseDSN("a?key=" + key + "&synchronous=NORMAL")
	if err != nil || c.Synchronous != "NORMAL" {
		t.Errorf("got %+v, %v, want NORMAL", c, err)
	}
	for _, dsn := range []string{
		"", "a", "a?key=", "a?key=zz", "a?key=" + key[2:], "../a?key=" + key, "A?key=" + key,
		strings.Repeat("a", 41) + "?key=" + key, "a?key=" + key + "&synchronous=OFF", "a?key=" + key + "&cache=1",
	} {
		if c, err := ParseDSN(dsn); err == nil {
			t.Errorf("%q: got %+v, want an error", dsn, c)
		} else if strings.Contains(err.Error(), key[2:]) {
			t.Errorf("%q: the error tells the key: %v", dsn, err)
		}
	}
}
