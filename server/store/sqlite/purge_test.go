package sqlite

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNothingIsPurged: nothing that the hub, a device or a person could still ask
// for is ever deleted. Whoever adds a table to the list says why its rows may go.
func TestNothingIsPurged(t *testing.T) {
	may := map[string]string{
		"backed_up":        "in a restored copy, where it is not true any more",
		"refresh_families": "sign-ins that have ended",
		"enrolment_codes":  "in whose place a new one was given out",
		"login_throttle":   "counts of wrong passwords",
		"departed":         "a record came back to the unit that it had left",
		"arrivals":         "a move that was carried out",
		"unsealed":         "decisions given back that have come to all that they approved",
		"pins":             "openers that their account took away",
		"records":          "measured in a copy (rest.go), or erased by law (erased.go)",
		"hub_content":      "hashes of what the hub was told of a record that was erased by law",
		"meta":             "the note that the file is to be written anew (erasure.go)",
		"quarantine":       "single writes that were given back, whose whole changeset came and was judged (intake.go)",
	}
	deletes := regexp.MustCompile(`(?i)DELETE FROM (\w+)`)
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".sql") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range deletes.FindAllStringSubmatch(string(text), -1) {
			found++
			if why := may[m[1]]; why == "" || m[1] == "records" && filepath.Base(path) != "rest.go" && filepath.Base(path) != "erased.go" ||
				m[1] == "meta" && filepath.Base(path) != "erasure.go" || m[1] == "quarantine" && filepath.Base(path) != "intake.go" {
				t.Errorf("%s deletes from %s", path, m[1])
			}
		}
		return err
	})
	if err != nil || found < len(may) {
		t.Fatalf("found %d deletions, %v, want at least %d", found, err, len(may))
	}
}
