package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wardbook/client-wasm/replica"
)

// Config says how to drill.
type Config struct {
	Program   string // the program's executable
	Folder    string // of the drill's own; empty or absent
	Edits     int    // made behind the backup; at least 3
	Approvals int    // given behind the backup; at most a third of Edits
	Log       io.Writer
	// forget reads the trace as if no flush had ever been made: then the power
	// cut must lose something, or the drill could not notice a loss.
	forget bool
}

// Check is one thing that must hold, and what was seen.
type Check struct {
	What, Got string
	OK        bool
}

// Report is what came of a drill.
type Report struct{ Checks []Check }

// OK reports whether everything held.
func (r *Report) OK() bool {
	return len(r.Checks) > 0 && !slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.OK })
}

func (r *Report) add(ok bool, what, got string, args ...any) {
	r.Checks = append(r.Checks, Check{what, fmt.Sprintf(got, args...), ok})
}

// run is one drill.
type run struct {
	Config
	Report
	data    string
	listen  string
	server  *server
	began   time.Time
	made    map[string]string // record and field of an edit behind the backup -> value
	decided []string          // records approved behind the backup
	asked   string            // the record returned behind the backup
}

// Restore practises the loss of a server. The error is of what kept it from
// being practised; what it found is in the report.
func Restore(ctx context.Context, cfg Config) (Report, error) {
	r := &run{Config: cfg, data: filepath.Join(cfg.Folder, "server"), listen: "127.0.0.1:0", began: time.Now(), made: map[string]string{}}
	if there, err := os.ReadDir(cfg.Folder); err == nil && len(there) > 0 {
		return r.Report, fmt.Errorf("%s is not empty", cfg.Folder)
	}
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return r.Report, err
	}
	defer func() { r.server.kill() }()
	err := r.all(ctx)
	return r.Report, err
}

func (r *run) say(format string, args ...any) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, "%5.1f s  "+format+"\n", append([]any{time.Since(r.began).Seconds()}, args...)...)
	}
}

func (r *run) all(ctx context.Context) (err error) {
	if r.server, err = start(ctx, []string{r.Program}, r.data, r.listen); err != nil {
		return err
	}
	r.listen = strings.TrimPrefix(r.server.url, "http://") // the hub knows a server by its address
	r.say("a server with synthetic residents runs")
	var devices []*device
	for _, d := range [][2]string{{"a", "officer.a"}, {"b", "officer.b"}, {"lost", "officer.a"}} {
		dev, err := enrol(ctx, r.server, r.Folder, d[0], d[1])
		if err != nil {
			return err
		}
		devices = append(devices, dev)
	}
	if err := syncAll(ctx, devices...); err != nil {
		return err
	}
	backup := filepath.Join(r.Folder, "backup")
	if err := r.command(ctx, "backup", "-data", r.data, "-to", backup); err != nil {
		return err
	}
	r.say("backed up beside the running server")
	if err := r.work(ctx, devices); err != nil {
		return err
	}
	if err := r.pull(ctx, "the hub, before the loss", false); err != nil {
		return err
	}
	if err := syncAll(ctx, devices...); err != nil {
		return err
	}
	before, err := devices[0].snapshot(ctx)
	if err != nil {
		return err
	}
	r.say("%d edits and %d approvals behind the backup, all acknowledged", r.Edits, len(r.decided))
	r.server.kill()
	if err := devices[2].lose(); err != nil {
		return err
	}
	r.say("the server is killed, one device is lost")
	if err := r.command(ctx, "restore", "-from", backup, "-data", r.data); err != nil {
		return err
	}
	return r.comeBack(ctx, devices[:2], before)
}

// syncAll syncs all devices until each has what the others said.
func syncAll(ctx context.Context, devices ...*device) error {
	for range 2 {
		for _, d := range devices {
			if err := d.sync(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// command runs another command of the program.
func (r *run) command(ctx context.Context, words ...string) error {
	out, err := exec.CommandContext(ctx, r.Program, words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("wardbook %s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}

// work makes the edits and the approvals.
func (r *run) work(ctx context.Context, devices []*device) error {
	all, err := devices[0].IDs(ctx, "residents")
	if err != nil {
		return err
	}
	var residents []string
	for _, id := range all {
		rec, err := devices[0].Record(ctx, id.String())
		if err != nil {
			return err
		}
		if len(rec.Conflicts) == 0 { // a field in conflict wants a person
			residents = append(residents, id.String())
		}
	}
	if len(residents) < r.Edits {
		return fmt.Errorf("only %d residents for %d edits", len(residents), r.Edits)
	}
	var fresh []string
	for n := range r.Edits {
		d := devices[n%len(devices)]
		put := replica.PutRequest{Register: "residents", Record: residents[n], Values: map[string]string{"phone": fmt.Sprintf("09%08d", 10_000_000+n), "ethnic": fmt.Sprintf("%02d", n%50+1)}, NoSubmit: true}
		if n/len(devices)%2 == 0 {
			put = replica.PutRequest{Register: "addresses", Values: address(devices[0].Account().Unit, n)}
		}
		reply, err := d.Put(ctx, put)
		if err != nil {
			return fmt.Errorf("edit %d on %s: %w", n, d.name, err)
		}
		if put.Record == "" {
			if !reply.Submitted {
				return fmt.Errorf("edit %d on %s was not handed in: %v", n, d.name, reply.Findings)
			}
			fresh = append(fresh, reply.ID)
		}
		rec, err := d.Record(ctx, reply.ID)
		if err != nil {
			return err
		}
		for name := range put.Values { // in normal form
			r.made[reply.ID+" "+name] = string(rec.Values[name])
		}
		if n%40 < len(devices) {
			if err := d.sync(ctx); err != nil {
				return err
			}
		}
	}
	if err := syncAll(ctx, devices...); err != nil {
		return err
	}
	g, err := r.server.signIn(ctx, "supervisor", "")
	if err != nil {
		return err
	}
	for n, id := range fresh {
		var seen struct{ Digest string }
		if err := r.server.call(ctx, "GET", "/api/v1/review/records/"+url.PathEscape(id), g.Access, nil, &seen); err != nil {
			return err
		}
		if n == r.Approvals {
			r.asked = id
			return r.server.call(ctx, "POST", "/api/v1/review/return", g.Access,
				map[string]any{"id": id, "digest": seen.Digest, "fields": []string{"house_no"}, "comment": "Which of the two houses?"}, nil)
		}
		var done struct{ Revision uint64 }
		if err := r.server.call(ctx, "POST", "/api/v1/review/approve", g.Access, map[string]any{"id": id, "digest": seen.Digest, "accept_warnings": true}, &done); err != nil {
			return err
		}
		if done.Revision == 0 {
			return fmt.Errorf("record %s was approved and is not complete enough for the hub", id)
		}
		r.decided = append(r.decided, id)
	}
	return errors.New("there are not enough new records to approve")
}

// address is a record that can be approved as it stands.
func address(unit string, n int) map[string]string {
	return map[string]string{"ward_code": unit, "neighbourhood": fmt.Sprint("Khu phố ", n%9+1), "street": "Lý Thái Tổ", "house_no": fmt.Sprint(n + 1),
		"location": `{"lat":10.76,"lon":106.68,"accuracy_m":5}`, "plate_status": "DA_GAN", "kind": "NHA_O", "check_date": "2026-02-01"}
}

// comeBack lets the devices meet the restored server, cuts its power right behind
// what they gave back, and asks what is left.
func (r *run) comeBack(ctx context.Context, devices []*device, before map[string]shown) (err error) {
	trace := filepath.Join(r.Folder, "trace")
	words := tracer(r.data, trace)
	traced := words != nil
	if r.server, err = start(ctx, append(words, r.Program), r.data, r.listen); err != nil {
		return err
	}
	for _, d := range devices {
		if err := d.meet(ctx, r.server); err != nil {
			return err
		}
	}
	for _, d := range devices { // once each: what the first gives, the second need not
		if err := d.sync(ctx); err != nil {
			return err
		}
	}
	r.server.kill()
	r.say("restored; two devices came back and gave back what they hold, then the power is cut")
	dark := filepath.Join(r.Folder, "server-after-cut")
	lost := map[string][]span{}
	if traced {
		b, err := os.ReadFile(trace)
		if err != nil {
			return err
		}
		text := string(b)
		if r.forget {
			text = withoutFlushes(text)
		}
		if lost, err = unflushed(text); err != nil {
			return err
		}
	}
	if err := cut(r.data, dark, lost); err != nil {
		return err
	}
	r.data = dark
	if r.server, err = start(ctx, []string{r.Program}, r.data, r.listen); err != nil {
		return err
	}
	how := "power cut behind the give-back"
	if !traced {
		how = "kill behind the give-back (strace is not installed: no power was cut)"
	}
	fresh, err := enrol(ctx, r.server, r.Folder, "new", "officer.b")
	if err != nil {
		return err
	}
	if err := fresh.sync(ctx); err != nil {
		return err
	}
	if err := r.compare(ctx, fresh, before, how); err != nil {
		return err
	}
	if err := r.pull(ctx, "the hub is told of the new epoch", true); err != nil {
		return err
	}
	for _, d := range devices {
		if err := d.meet(ctx, r.server); err != nil {
			return err
		}
	}
	if err := syncAll(ctx, append(devices, fresh)...); err != nil {
		return err
	}
	for _, d := range append(devices, fresh) {
		at, err := d.snapshot(ctx)
		if err != nil {
			return err
		}
		there := 0
		for _, id := range r.decided {
			if at[id].place == replica.PlaceHub {
				there++
			}
		}
		r.add(there == len(r.decided) && equal(at, before) == "", "device "+d.name+" agrees, approvals at the hub", "%d of %d%s", there, len(r.decided), equal(at, before))
	}
	r.server.stop()
	out, err := exec.CommandContext(ctx, r.Program, "doctor", "-data", r.data).CombinedOutput()
	r.add(err == nil, "the doctor finds the folder sound", "%s", lastLine(string(out)))
	return nil
}

func withoutFlushes(trace string) string {
	var kept strings.Builder
	for line := range strings.Lines(trace) {
		if !strings.Contains(line, "sync") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// compare asks whether a device that knew nothing is told what the others had.
func (r *run) compare(ctx context.Context, d *device, before map[string]shown, how string) error {
	after, err := d.snapshot(ctx)
	if err != nil {
		return err
	}
	there := 0
	for key, value := range r.made {
		id, name, _ := strings.Cut(key, " ")
		if rec, err := d.Record(ctx, id); err == nil && string(rec.Values[name]) == value {
			there++
		}
	}
	r.add(there == len(r.made), "acknowledged values back after a "+how, "%d of %d (%d edits)", there, len(r.made), r.Edits)
	stand := 0
	for _, id := range r.decided {
		if after[id].stage == "approved" {
			stand++
		}
	}
	r.add(stand == len(r.decided), "approvals stand", "%d of %d", stand, len(r.decided))
	r.add(after[r.asked].stage == "returned", "a return stands", "%s", after[r.asked].stage)
	r.add(equal(after, before) == "", "no value reverts", "%d records as before%s", len(after), equal(after, before))
	return nil
}

// equal says how two devices differ, "" if they do not.
func equal(a, b map[string]shown) string {
	var differ []string
	for id := range b {
		if a[id].text != b[id].text {
			differ = append(differ, id)
		}
	}
	for id := range a {
		if _, ok := b[id]; !ok {
			differ = append(differ, id)
		}
	}
	if len(differ) == 0 {
		return ""
	}
	slices.Sort(differ)
	return fmt.Sprintf(", %d differ, such as %s: %s, before %s", len(differ), differ[0], a[differ[0]].text, b[differ[0]].text)
}

// pull pulls as the hub does; again tells that it must begin again.
func (r *run) pull(ctx context.Context, what string, again bool) error {
	cmd := exec.CommandContext(ctx, r.Program, "hub", "pull", "-url", r.server.url, "-into", filepath.Join(r.Folder, "hub"))
	cmd.Env = append(os.Environ(), "WARDBOOK_PASSWORD="+r.server.passwords["hub"])
	out, err := cmd.CombinedOutput()
	told := strings.Contains(string(out), "was restored from a backup")
	got := lastLine(string(out))
	if told {
		got = "told, " + got
	}
	r.add(err == nil && told == again && strings.Contains(string(out), "units agree"), what, "%s", got)
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
