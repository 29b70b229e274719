package driver

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall/js"
	"testing"
	"time"
)

func TestMirror(t *testing.T) {
	p := newPlace(t)
	p.open(t)
	open := func(c Config) *Mirror {
		t.Helper()
		m, err := OpenMirror(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	m := open(config(p))
	for i := range 3 {
		if err := m.Put(t.Context(), fmt.Sprintf("r-%d", i), bytes.Repeat([]byte{byte(i)}, i*1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Put(t.Context(), "r-1", []byte("again")); err != nil {
		t.Fatal(err)
	}
	if old, err := m.Trim(t.Context()); err != nil || old {
		t.Errorf("trim of a young store: got %v, %v, want false", old, err)
	}
	m = open(config(p)) // what another life of the worker finds
	all, err := m.All(t.Context())
	if err != nil || len(all) != 3 || all[0].Key != "r-0" || len(all[0].Bytes) != 0 || string(all[1].Bytes) != "again" ||
		!bytes.Equal(all[2].Bytes, bytes.Repeat([]byte{2}, 2000)) {
		t.Errorf("got %v, %v", all, err)
	}
	other := config(p)
	other.Key = bytes.Clone(p.key)
	other.Key[0] ^= 1
	if _, err := open(other).All(t.Context()); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key: got %v, want %v", err, ErrWrongKey)
	}

	// A store of six minutes.
	if _, err := await(js.Global().Get("__age").Invoke(p.store, 6*60)); err != nil {
		t.Fatal(err)
	}
	m = open(config(p))
	if err := m.Put(t.Context(), "r-9", []byte("late")); err != nil {
		t.Fatal(err)
	}
	if all, err := m.All(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("old, before trim: got %d entries, %v, want 3", len(all), err)
	}
	if old, err := m.Trim(t.Context()); err != nil || !old {
		t.Errorf("trim of an old store: got %v, %v, want true", old, err)
	}
	if all, err := m.All(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("after trim: got %d entries, %v, want 0", len(all), err)
	}
}

// TestMirrorReconnects loses the connection at each transaction: nothing that was
// kept is missing, and no save fails for it (R39).
func TestMirrorReconnects(t *testing.T) {
	struck := 0
	for n, again := 1, true; again; n++ {
		p := newPlace(t)
		p.open(t)
		m, err := OpenMirror(t.Context(), config(p))
		if err != nil {
			t.Fatal(err)
		}
		end := js.Global().Get("__disconnect").Invoke(n)
		for i := range 3 {
			if err := m.Put(t.Context(), fmt.Sprintf("r-%d", i), []byte("kept")); err != nil {
				t.Errorf("lost at %d: put: %v", n, err)
			}
		}
		all, err := m.All(t.Context())
		if err != nil || len(all) != 3 {
			t.Errorf("lost at %d: got %d entries, %v, want 3", n, len(all), err)
		}
		if again = end.Invoke().Bool(); again {
			struck++
		}
		m.Close()
	}
	if struck < 4 {
		t.Errorf("the connection was lost %d times only", struck)
	}
}

func TestMirrorGoesWithItsStore(t *testing.T) {
	p := newPlace(t)
	p.open(t)
	m, err := OpenMirror(t.Context(), config(p))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Put(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := Remove(t.Context(), p.store); err != nil { // with the mirror still open
		t.Fatal(err)
	}
	if err := m.Put(t.Context(), "k", []byte("v")); err == nil {
		t.Error("put after removal: got no error")
	}
	m, err = OpenMirror(t.Context(), config(p))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if all, err := m.All(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("got %d entries, %v, want 0", len(all), err)
	}
}

// BenchmarkMirror is what a save of a young store costs beside its commit.
func BenchmarkMirror(b *testing.B) {
	p := newPlace(b)
	p.open(b)
	m, err := OpenMirror(b.Context(), config(p))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	content := bytes.Repeat([]byte{7}, 290)
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		if err := m.Put(b.Context(), fmt.Sprintf("r-%d", len(took)), content); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
