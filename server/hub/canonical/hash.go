package canonical

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// ContentHash returns the SHA-256, in lower-case hex, over the canonical form of
// an item's data.
func ContentHash(data []byte) (string, error) {
	b, err := JSON(data)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// CountHash returns the hash over what a unit holds of a dataset: SHA-256, in
// lower-case hex, over the lines "RECORD_ID CONTENT_SHA256", sorted by their
// bytes, each ended by a line feed. It sorts lines in place.
func CountHash(lines []string) string {
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
