package merging

import "testing"

func TestNewsStandAfterMerging(t *testing.T) {
	w := New(1, 200, 2000)
	if w.Fields < 1000 || w.Fields > 2000 {
		t.Fatalf("got %d fields of 2,000 writes, want somewhat fewer than writes", w.Fields)
	}
	for i := range w.Records {
		merged := w.Records[i].Merge(w.News[i])
		for k, f := range w.News[i].All() {
			if !merged.Field(k).Equal(f) {
				t.Fatalf("record %d, field %v: got %v, want %v", i, k, merged.Field(k), f)
			}
		}
	}
}

// BenchmarkMerge is W3's merge alone; `wardbook bench` runs it as WASM.
func BenchmarkMerge(b *testing.B) {
	w := New(1, 10_000, 100_000)
	merged := 0
	b.ReportAllocs()
	for b.Loop() {
		n, err := w.Merge()
		if err != nil {
			b.Fatal(err)
		}
		merged += n
	}
	b.ReportMetric(float64(merged)/b.Elapsed().Seconds(), "merges/s")
}
