package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/sync/bench/merging"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// mergeAlone returns how many fields a second merge, natively.
func mergeAlone(w merging.Work) (float64, error) {
	began := time.Now()
	n, err := w.Merge()
	return float64(n) / time.Since(began).Seconds(), err
}

// errNoWASM says why there is no figure for WASM.
var errNoWASM = errors.New("needs go, node and the sources: run it in the project's folder")

// mergeWASM measures the same under node.
func mergeWASM(ctx context.Context) (float64, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return 0, fmt.Errorf("%w (%w)", errNoWASM, err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		return 0, fmt.Errorf("%w (%w)", errNoWASM, err)
	}
	if _, err := os.Stat(filepath.Join("sync", "bench", "merging")); err != nil {
		return 0, fmt.Errorf("%w (%w)", errNoWASM, err)
	}
	run := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec")
	cmd := exec.CommandContext(ctx, "go", "test", "-exec="+run, "-run=^$", "-bench=^BenchmarkMerge$", "-benchtime=2s", "-count=3", "./sync/bench/merging")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("merge as WASM: %w: %s", err, bytes.TrimSpace(out))
	}
	best := 0.0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			if words[i] == "merges/s" {
				if n, err := strconv.ParseFloat(words[i-1], 64); err == nil {
					best = max(best, n)
				}
			}
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("merge as WASM: no figure in %s", bytes.TrimSpace(out))
	}
	return best, nil
}

// pages says records in pages as a server does, each at a position of its own,
// to a device that is at position from of a whole stream.
func pages(ids []conflict.RecordID, records []conflict.Record, from uint64) [][]byte {
	const perPage = 1000
	var all [][]byte
	floor, head := from, from+uint64(len(ids))
	for len(ids) > 0 {
		n := min(perPage, len(ids))
		p := &protocol.Page{Stream: stream, Floor: floor, From: from, To: from + uint64(n), Head: head}
		for i := range n {
			d := protocol.RecordDelta{Record: ids[i]}
			for k, f := range records[i].All() {
				d.Fields = append(d.Fields, conflict.Entry{Key: k, Field: f})
			}
			p.Records = append(p.Records, d)
		}
		all = append(all, protocol.Encode(nil, p))
		ids, records, from = ids[n:], records[n:], p.To
	}
	return all
}

// feeding is a replica whose server the benchmark plays, without a network.
type feeding struct {
	d *device
	h interface {
		Step(session.Event)
		Perform(context.Context) (session.Effect, error)
		Pending() int
	}
}

func (f *feeding) perform(ctx context.Context) error {
	for f.h.Pending() > 0 {
		e, err := f.h.Perform(ctx)
		if err != nil {
			return err
		}
		switch e.(type) {
		case session.Dial:
			f.h.Step(session.Opened{Now: 1})
		case session.HangUp:
			return errors.New("the replica hung up")
		}
	}
	return nil
}

func (f *feeding) hear(ctx context.Context, m protocol.Message) error {
	f.h.Step(session.Received{Now: 1, Message: m})
	return f.perform(ctx)
}

// apply decodes, merges and stores pages, each durably.
func (f *feeding) apply(ctx context.Context, pages [][]byte) error {
	for _, b := range pages {
		m, err := protocol.Decode(b)
		if err != nil {
			return err
		}
		if err := f.hear(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// applyStored measures W3 into the local SQLite: it returns how many of the
// writes a second were decoded, merged and durable.
func (b *bencher) applyStored(ctx context.Context, w merging.Work, no int) (rate float64, err error) {
	d, err := openDevice(ctx, b.path("replica-"+strconv.Itoa(no)+".db"), officerA, b.def)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	f := &feeding{d: d, h: d.replica.NewHost("bench", "token", true)}
	f.h.Step(session.Start{Now: 1})
	if err := f.perform(ctx); err != nil {
		return 0, err
	}
	n := uint64(len(w.Records))
	if err := f.hear(ctx, &protocol.Welcome{Version: protocol.Version, Epoch: protocol.Token{1}, Grants: []protocol.Grant{{Head: n, Count: n}}}); err != nil {
		return 0, err
	}
	if err := f.apply(ctx, pages(w.IDs, w.Records, 0)); err != nil {
		return 0, err
	}
	news := pages(w.IDs, w.News, n)
	runtime.GC()
	began := time.Now()
	if err := f.apply(ctx, news); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if got := d.stream(); got.Cursor != 2*n || got.Have != n {
		return 0, fmt.Errorf("the replica is at %d with %d records, want %d with %d", got.Cursor, got.Have, 2*n, n)
	}
	for part := 0; part < len(w.IDs); part += 500 {
		ids := w.IDs[part:min(part+500, len(w.IDs))]
		held, err := d.store.Holdings(ctx, ids)
		if err != nil {
			return 0, err
		}
		for i := range ids {
			if i >= len(held) || !held[i].Base.Equal(w.Records[part+i].Merge(w.News[part+i])) {
				return 0, fmt.Errorf("record %v is not what merging makes of it", ids[i])
			}
		}
	}
	return float64(w.Fields) / took.Seconds(), nil
}
