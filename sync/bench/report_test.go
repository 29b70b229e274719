package bench

import (
	"slices"
	"testing"
	"testing/fstest"
)

// The shell is what the build takes for it: not what is loaded when it is needed.
func TestSizesCountTheFirstDownload(t *testing.T) {
	of := func(n int) *fstest.MapFile { return &fstest.MapFile{Data: make([]byte, n)} }
	got, err := sizes(fstest.MapFS{
		"index.html": of(900), "index.html.br": of(1), "sw.js.br": of(2), "icon-192.png": of(7000),
		"v/page.js": of(9000), "v/page.js.br": of(10), "v/page.css.br": of(20), "v/common.js.br": of(40),
		"v/office.js": of(9000), "v/office.js.br": of(1000), "v/qr.js.br": of(1000), "v/chart.js.br": of(1000),
		"v/guide.js.br": of(1000), "v/guide-edit-vi.webp": of(1000),
		"v/client.wasm.br": of(300), "v/mc-wa-sqlite.wasm.br": of(400), "v/worker.js.br": of(5),
	})
	want := []Size{{"module", 300, 1_100_000}, {"SQLite", 405, 553_000}, {"shell", 70, 80_000}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
