package puller

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/server/hub/hubtest"
)

// house is what a record should be, by what was done to it.
type house struct {
	id       conflict.RecordID
	unit     string
	head     string // house number
	approved string // house number at the hub, "" for none
	waiting  bool
	deleted  bool // in its head
	dead     bool // refused before anything of it was approved
}

// bad is a line between consumer and server on which anything may break: before
// the request, after it, or in the middle of the answer.
func bad(seed uint64) func(http.Handler) http.Handler {
	r := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			mu.Lock()
			kind, part := r.IntN(12), r.Float64()
			mu.Unlock()
			if kind == 0 {
				panic(http.ErrAbortHandler) // it never arrived
			}
			if kind == 1 {
				http.Error(rw, "busy", http.StatusServiceUnavailable)
				return
			}
			rec := answer(next, req)
			body := rec.Body.Bytes()
			switch kind {
			case 2:
				panic(http.ErrAbortHandler) // it was done, and nobody heard
			case 3, 4:
				pass(rw, rec, body[:int(part*float64(len(body)))])
				if kind == 3 {
					panic(http.ErrAbortHandler)
				}
				return
			}
			pass(rw, rec, body)
		})
	}
}

// Whatever supervisors decide, on whatever line, however often the consumer is
// stopped: once it comes through, it holds exactly what stands approved.
func TestAlwaysAgrees(t *testing.T) {
	// Each check is a server of its own: fewer than usual, unless asked for.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("30")
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := hubtest.New(t, time.Time{}, addresses)
		dir := t.TempDir()
		var records []*house
		pulls := 0
		pull := func(stopAt int) error {
			at := 0
			cfg := Config{URL: w.URL, Dir: filepath.Join(dir, "hub"), Account: w.Hub.Name, Password: w.Hub.Password, PageLines: 1 + pulls%4, Patience: time.Minute,
				Sleep: func(ctx context.Context, _ time.Duration) error { return sleep(ctx, 100*time.Microsecond) },
				step: func(string) error {
					if at++; at == stopAt {
						return errStopped
					}
					return nil
				}}
			pulls++
			r, err := Pull(context.Background(), cfg)
			if err == nil && (r.Units != 168 || len(r.Differences) > 0) {
				rt.Fatalf("got %d units and %v", r.Units, r.Differences)
			}
			return err
		}
		some := func(fits func(*house) bool) *house {
			var list []*house
			for _, k := range records {
				if !k.dead && fits(k) {
					list = append(list, k)
				}
			}
			if len(list) == 0 {
				rt.Skip("no such record")
			}
			return rapid.SampledFrom(list).Draw(rt, "record")
		}
		number := 0
		next := func() string { number++; return fmt.Sprint(number) }
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(*rapid.T) {
				k := &house{unit: rapid.SampledFrom([]string{ward, otherWard, "26740"}).Draw(rt, "unit"), head: next(), waiting: true}
				values := hubtest.Address(0)
				values["house_no"] = k.head
				k.id = w.Save(k.unit, addresses, none, values)
				records = append(records, k)
			},
			"edit": func(*rapid.T) {
				k := some(func(k *house) bool { return !k.deleted })
				k.head, k.waiting = next(), true
				w.Save(k.unit, addresses, k.id, map[string]string{"house_no": k.head})
			},
			"delete": func(*rapid.T) {
				k := some(func(k *house) bool { return !k.deleted && !k.waiting })
				k.deleted, k.waiting = true, true
				w.Delete(k.unit, addresses, k.id, true)
			},
			"restore": func(*rapid.T) {
				k := some(func(k *house) bool { return k.deleted && !k.waiting })
				k.deleted, k.waiting = false, true
				w.Delete(k.unit, addresses, k.id, false)
			},
			"approve": func(*rapid.T) {
				k := some(func(k *house) bool { return k.waiting })
				w.Approve(k.unit, k.id)
				if k.waiting, k.approved = false, k.head; k.deleted {
					k.approved = ""
				}
			},
			"refuse": func(*rapid.T) {
				k := some(func(k *house) bool { return k.waiting && !k.deleted })
				k.dead = k.approved == ""
				w.Refuse(k.unit, k.id)
				k.head, k.waiting = k.approved, false
			},
			"withdraw": func(*rapid.T) {
				k := some(func(k *house) bool { return k.approved != "" && !k.deleted })
				w.Withdraw(k.unit, k.id)
				k.approved, k.waiting = "", true
			},
			"pull on a bad line": func(*rapid.T) {
				w.Between(bad(rapid.Uint64().Draw(rt, "line")))
				defer w.Between(nil)
				if err := pull(rapid.IntRange(0, 12).Draw(rt, "stop")); err != nil && !errors.Is(err, errStopped) {
					rt.Fatalf("pull: %v", err)
				}
			},
			"restored from a backup": func(*rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "now") == 0 {
					w.Restore()
				}
			},
		})
		if err := pull(0); err != nil {
			rt.Fatalf("pull: %v", err)
		}
		want := map[string]string{}
		for _, k := range records {
			if k.approved != "" {
				want[k.id.String()] = k.approved
			}
		}
		c := &consumer{t: t, cfg: Config{Dir: filepath.Join(dir, "hub")}}
		if got := c.houses(); !maps.Equal(got, want) {
			rt.Fatalf("got %v, want %v", got, want)
		}
	})
}

// While supervisors go on deciding, each pull agrees as of its own cursor.
func TestAgreesWhileApprovalsGoOn(t *testing.T) {
	w := world(t)
	c := newConsumer(t, w)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 40 {
			unit := []string{ward, otherWard}[i%2]
			id := w.Save(unit, addresses, none, hubtest.Address(100+i))
			w.Approve(unit, id)
			if i%3 == 0 {
				w.Withdraw(unit, id)
			}
		}
	}()
	pulls := 0
	for running := true; running; pulls++ {
		select {
		case <-done:
			running = false
		default:
		}
		c.agree()
	}
	if pulls < 3 {
		t.Errorf("got %d pulls, want some beside the approvals", pulls)
	}
	if n := len(slices.Collect(maps.Keys(c.houses()))); n != 6+40-14 {
		t.Errorf("got %d houses, want 32", n)
	}
}
