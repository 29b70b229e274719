package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"wardbook/conflict"
	"wardbook/server/store"
	"wardbook/sync/record"
)

// interleavings yields every order of the scripts' steps, each script's own
// order kept, as script numbers.
func interleavings(counts []int) [][]int {
	var all [][]int
	var walk func(left []int, path []int)
	walk = func(left []int, path []int) {
		done := true
		for i, n := range left {
			if n > 0 {
				done = false
				next := slices.Clone(left)
				next[i]--
				walk(next, append(slices.Clone(path), i))
			}
		}
		if done {
			all = append(all, path)
		}
	}
	walk(counts, nil)
	return all
}

// TestEveryInterleaving plays every order of two officers' edits and syncs, a
// supervisor's look and approval, and looks at the hub after every step: it
// never shows what nobody approved, and an approval passes exactly if what
// stands is what was on the screen.
func TestEveryInterleaving(t *testing.T) {
	fields := map[string][2]map[string]string{
		"the same field":   {values("note=a"), values("note=b")},
		"different fields": {values("note=a"), values("age=2")},
		"the same value":   {values("note=a"), values("note=a")},
		"two of a union":   {values("tags=A"), values("tags=B")},
	}
	for name, edits := range fields {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.supervisor("supervisor")
			a, b := w.officer("officer.a"), w.officer("officer.b")
			steps := []int{2, 2, 4} // 420 orders; 90 of the short run
			if testing.Short() {
				steps[2] = 2
			}
			for _, order := range interleavings(steps) {
				id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
				w.mustApprove(s, id)
				a.pull(id)
				b.pull(id)
				play(t, w, s, id, order, map[int]*device{0: a, 1: b}, edits)
			}
		})
	}
}

// play runs one order: 0 and 1 are officers, 2 the supervisor, who looks and
// approves twice.
func play(t *testing.T, w *world, s who, id conflict.RecordID, order []int, officers map[int]*device, edits [2]map[string]string) {
	t.Helper()
	approved := map[string]bool{"name=Lan": true, "note=zero": true}
	hub := stored("name=Lan", "note=zero")
	var seen Record
	var seenState conflict.Record
	step := map[int]int{}
	for at, actor := range order {
		what := fmt.Sprintf("order %v, step %d", order, at)
		n := step[actor]
		step[actor]++
		switch {
		case actor < 2 && n == 0:
			officers[actor].save(id, form{values: edits[actor]})
		case actor < 2:
			officers[actor].sync(id)
		case n%2 == 0:
			seen, seenState = w.look(s, id), w.state(id)
		default:
			before := w.state(id)
			_, err := w.desk.Approve(s.ctx, ApproveRequest{ID: id.String(), Digest: seen.Digest})
			switch same, waits := before.Equal(seenState), len(record.StandingOf(before).Waiting) > 0; {
			case !same:
				if code(err) != "changed" {
					t.Errorf("%s: got %v, want changed", what, err)
				}
			case !waits:
				if code(err) != "nothing_waiting" {
					t.Errorf("%s: got %v, want nothing waiting", what, err)
				}
			case seen.Kind == "conflict":
				if code(err) != "conflict" {
					t.Errorf("%s: got %v, want a conflict", what, err)
				}
			case err != nil:
				t.Errorf("%s: got %v, want approval", what, err)
			default:
				hub = map[string]conflict.Value{}
				for _, f := range seen.Fields {
					if f.Merged != nil && f.Merged.Value != "" {
						hub[f.Name] = conflict.Value(f.Merged.Value)
						approved[f.Name+"="+f.Merged.Value] = true
					}
				}
			}
		}
		got := w.atHub(id)
		if !maps.Equal(got, hub) {
			t.Errorf("%s: the hub has %v, want %v", what, got, hub)
		}
		for f, v := range got {
			if !approved[f+"="+string(v)] {
				t.Errorf("%s: the hub has %s=%s, which nobody approved", what, f, v)
			}
		}
	}
}

// TestStaleSupervisors plays every order of two supervisors' looks and
// decisions: of two who saw the same, one decides and the other is told.
func TestStaleSupervisors(t *testing.T) {
	type decide func(w *world, s who, r Record) error
	decisions := map[string]decide{
		"approve": func(w *world, s who, r Record) error {
			_, err := w.desk.Approve(s.ctx, ApproveRequest{ID: r.ID, Digest: r.Digest})
			return err
		},
		"refuse": func(w *world, s who, r Record) error {
			_, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "no"})
			return err
		},
		"return": func(w *world, s who, r Record) error {
			_, err := w.desk.Return(s.ctx, ReturnRequest{ID: r.ID, Digest: r.Digest, Fields: []string{"note"}, Comment: "?"})
			return err
		},
		"withdraw": func(w *world, s who, r Record) error {
			_, err := w.desk.Withdraw(s.ctx, WithdrawRequest{ID: r.ID, Digest: r.Digest, Reason: "no"})
			return err
		},
		"settle": func(w *world, s who, r Record) error {
			_, err := w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "note", Value: ptr("by " + s.name)})
			return err
		},
	}
	w := newWorld(t)
	a := w.officer("officer.a")
	people := []who{w.supervisor("supervisor"), w.supervisor("supervisor.b")}
	for n1, d1 := range decisions {
		for n2, d2 := range decisions {
			for _, order := range interleavings([]int{2, 2}) {
				id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
				w.mustApprove(people[0], id)
				a.saved(id, values("note=one"))
				seen, step, moved := [2]Record{}, [2]int{}, [2]bool{}
				for _, actor := range order {
					if step[actor]++; step[actor] == 1 {
						seen[actor] = w.look(people[actor], id)
						moved[actor] = false
						continue
					}
					before := w.lastApproval(id).Seq
					err := []decide{d1, d2}[actor](w, people[actor], seen[actor])
					name := []string{n1, n2}[actor]
					if moved[actor] {
						if code(err) != "changed" {
							t.Errorf("%s, %s in order %v: stale %s got %v", n1, n2, order, name, err)
						}
					} else if err == nil {
						moved = [2]bool{true, true}
					}
					if now := w.lastApproval(id).Seq; (now != before) != (err == nil) {
						t.Errorf("%s, %s in order %v: got %v, and rows %d to %d", n1, n2, order, err, before, now)
					}
				}
			}
		}
	}
}

// TestConcurrentApprovalsAreLinear lets many approve the same screen at once:
// exactly one does.
func TestConcurrentApprovalsAreLinear(t *testing.T) {
	w := newWorld(t)
	a := w.officer("officer.a")
	var people []who
	for i := range 8 {
		people = append(people, w.supervisor(fmt.Sprint("supervisor.", i)))
	}
	for range 20 {
		id := a.saved(conflict.RecordID{}, values("name=Lan"))
		digest := w.look(people[0], id).Digest
		var wg sync.WaitGroup
		codes := make([]string, len(people))
		for i, p := range people {
			wg.Go(func() {
				_, err := w.desk.Approve(p.ctx, ApproveRequest{ID: id.String(), Digest: digest})
				codes[i] = code(err)
			})
		}
		wg.Wait()
		slices.Sort(codes)
		if got := strings.Join(codes, " "); got != " "+strings.TrimSuffix(strings.Repeat("changed ", len(people)-1), " ") {
			t.Fatalf("got %q, want one success", got)
		}
		if w.lastApproval(id).Seq != 1 {
			t.Fatal("more than one row")
		}
	}
}

// TestARightIsAskedForEachRecord closes an account, and moves another, while
// their batches run: what the log has after that moment was not theirs.
func TestARightIsAskedForEachRecord(t *testing.T) {
	takeAway := map[string]func(w *world, s who) error{
		"disabled": func(w *world, s who) error { return w.disable(s) },
		"moved":    func(w *world, s who) error { w.setRole(s, store.RoleSupervisor, otherWard); return nil },
		"demoted":  func(w *world, s who) error { w.setRole(s, store.RoleOfficer, ward); return nil },
		"device revoked": func(w *world, s who) error {
			w.update(func(tx *sqliteTx) error { return tx.RevokeDevice(s.p.Device, w.store.Now(), "lost", true) })
			return nil
		},
	}
	for name, take := range takeAway {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, s := w.officer("officer.a"), w.supervisor("supervisor")
			var req BatchRequest
			for range 60 {
				id := a.saved(conflict.RecordID{}, values("name=Lan"))
				req.Records = append(req.Records, BatchRecord{ID: id.String(), Digest: w.look(s, id).Digest})
			}
			started := make(chan struct{})
			var once sync.Once
			w.desk.cfg.Notify = nil
			var out BatchResponse
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				once.Do(func() { close(started) })
				out, err = w.desk.Batch(s.ctx, req)
			}()
			<-started
			if e := take(w, s); e != nil {
				t.Fatal(e)
			}
			taken := w.now() // everything after this moment is without the right
			<-done
			w.view(func(tx *sqliteTx) error {
				for _, r := range req.Records {
					id, _ := conflict.ParseDot(r.ID)
					list, err := ledgerOf(tx).Approvals(id)
					if err != nil {
						return err
					}
					if len(list) > 0 && list[0].At > taken {
						t.Errorf("approved at %d, after the right was gone at %d", list[0].At, taken)
					}
					// What the answer says is what the store holds.
					said := slices.ContainsFunc(out.Approved, func(x BatchApproved) bool { return x.ID == r.ID })
					if said != (len(list) == 1) {
						t.Errorf("record %s: told approved %v, stored %d rows", r.ID, said, len(list))
					}
				}
				return nil
			})
			if err == nil && len(out.Left) == 0 {
				t.Log("the batch was done before the right was gone")
			}
			if _, err := w.desk.Batch(s.ctx, req); err == nil {
				again, _ := w.desk.Batch(s.ctx, req)
				if len(again.Approved) > 0 {
					t.Error("a batch after the right was gone approved something")
				}
			}
		})
	}
}
