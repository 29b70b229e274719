package bench

import (
	"errors"
	"slices"
	"time"
)

// Resume is what coming back after a drop takes on a bad line, with resumeEdits
// pending: from the open socket until all are acknowledged and durable on both
// sides. Raw is a program that sends as many bytes over a connection of its
// own on the same line, and gets as many back.
type Resume struct {
	Ours []time.Duration `json:"ours_ns"`
	Raw  []time.Duration `json:"raw_ns"`
	Up   int64           `json:"up"` // bytes of ours, median
	Down int64           `json:"down"`
}

// resumeEdits is how many edits are pending.
const resumeEdits = 100

// rank returns the time below which a share of all lies.
func rank(all []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// errNoLine says why there is no figure.
var errNoLine = errors.New("needs Linux, root and network namespaces")
