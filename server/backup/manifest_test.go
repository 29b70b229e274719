package backup

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// FuzzReadManifest: a backup comes from a disk that anything may have happened
// to. What is read as a manifest names the one file that a backup has, and a
// folder that holds nothing beside it is not taken for a backup.
func FuzzReadManifest(f *testing.F) {
	good, err := json.Marshal(Manifest{Format: manifestFormat, Files: []File{{Name: database, Bytes: 1, SHA256: "00"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":2,"version":"v9"}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"../../etc/passwd"}]}`))
	f.Add([]byte("null"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, manifestFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(dir)
		if err != nil {
			return
		}
		if m.Format != manifestFormat || len(m.Files) != 1 || m.Files[0].Name != database {
			t.Errorf("%q: read as %+v", b, m)
		}
		if _, err := Verify(t.Context(), dir); err == nil {
			t.Errorf("%q alone is taken for a backup", b)
		}
	})
}
