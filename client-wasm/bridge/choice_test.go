package bridge

import (
	"testing"
	"time"

	"wardbook/client-wasm/replica"
)

// TestDataOfTheDay: what comes over a line that is paid by the byte counts, and
// once the day's budget is used up receiving is held back, and nothing else,
// until the officer, the line or the next day says otherwise.
func TestDataOfTheDay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf(newOffice(t))
		b := s.bridge()
		p := page{t, b}
		p.must("login", signing(nil), nil)
		came := func(bytes int) {
			b.current().received(bytes)
			time.Sleep(time.Second)
		}
		is := func(when string, used int64, spent bool) {
			t.Helper()
			var d DeviceView
			p.must("device", nil, &d)
			var status replica.Status
			p.must("status", nil, &status)
			if d.Used != used || d.Spent != spent || status.Paused != spent {
				t.Errorf("%s: %d bytes used, spent %v, receiving held back %v; want %d, %v", when, d.Used, d.Spent, status.Paused, used, spent)
			}
		}
		p.refused("malformed", "choose", object{"budget": -1})
		p.refused("malformed", "choose", object{"budget": maxBudget + 1})
		p.must("choose", object{"budget": 2}, nil)
		came(5_000_000)
		is("on a line that costs nothing", 0, false)
		p.must("line", object{"metered": true}, nil)
		came(1_500_000)
		is("below the budget", 1_500_000, false)
		came(600_000)
		is("above the budget", 2_100_000, true)
		p.create("Đặng Thị Hết Dung Lượng") // sending and saving go on
		p.must("logout", object{"lock": true}, nil)

		b = s.bridge() // it is not forgotten
		p = page{t, b}
		p.must("unlock", signing(nil), nil)
		p.must("line", object{"metered": true}, nil)
		is("after a restart", 2_100_000, true)
		p.must("line", object{"metered": false}, nil)
		is("on another line", 2_100_000, false)
		p.must("line", object{"metered": true}, nil)
		is("back on that line", 2_100_000, true)
		p.must("choose", object{"more": true}, nil)
		is("more for today", 2_100_000, false)
		came(3_000_000)
		is("more for today, used", 5_100_000, false)
		// The bubble's clock begins at midnight UTC, seven hours into the city's day.
		time.Sleep(16 * time.Hour)
		is("the same day", 5_100_000, false)
		time.Sleep(2 * time.Hour)
		came(100)
		is("the next day, in the city", 100, false)
		came(2_000_000)
		is("the next day's budget", 2_000_100, true)
		time.Sleep(24 * time.Hour)
		is("the day after, of itself", 0, false)
		came(2_000_000)
		is("that day's budget", 2_000_000, true)
		p.must("choose", object{"budget": 0}, nil)
		is("no limit", 2_000_000, false)
		p.must("logout", object{}, nil)
	})
}
