package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profile writes the CPU profile of one part of one round of ours to a file of
// its own, if a folder was given and the part has a name, until the returned
// function is called.
func (b *bencher) profile(part string) (stop func() error, err error) {
	if b.profiles == "" || part == "" {
		return func() error { return nil }, nil
	}
	b.profiled++
	f, err := os.Create(filepath.Join(b.profiles, fmt.Sprintf("%s-%d.pprof", part, b.profiled)))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
