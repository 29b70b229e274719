package drill

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// database is the data folder's file, as the server names it.
const database = "wardbook.db"

// span is a part of a file.
type span struct{ from, to int64 }

// tracer returns the words before a server's own that write its writes and
// flushes into the file trace; nil if there is no strace.
func tracer(data, trace string) []string {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil
	}
	words := []string{strace, "-f", "-y", "-s", "0", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace}
	for _, name := range []string{database, database + "-wal"} {
		words = append(words, "-P", filepath.Join(data, name))
	}
	return words
}

var (
	wrote   = regexp.MustCompile(`^(\d+) +pwrite64\(\d+<([^>]*)>, [^,]*, (\d+), (\d+)`)
	plain   = regexp.MustCompile(`^(\d+) +write\(\d+<([^>]*)>`)
	flushed = regexp.MustCompile(`^(\d+) +f(?:data)?sync\(\d+<([^>]*)>(.*)`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. f(?:data)?sync resumed>.*= 0`)
)

// errUntold means that a trace holds a write that does not say where.
var errUntold = errors.New("the trace holds a write without its place in the file")

// unflushed reads from a trace which parts of which files were written and no
// completed flush has covered since. A flush covers what was written before it
// began.
func unflushed(trace string) (map[string][]span, error) {
	left := map[string][]span{}
	type begun struct {
		file string
		n    int
	}
	flushing := map[string]begun{} // by thread
	sc := bufio.NewScanner(strings.NewReader(trace))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		if m := wrote.FindStringSubmatch(line); m != nil {
			size, _ := strconv.ParseInt(m[3], 10, 64)
			at, _ := strconv.ParseInt(m[4], 10, 64)
			left[m[2]] = append(left[m[2]], span{at, at + size})
		} else if plain.MatchString(line) {
			return nil, errUntold
		} else if m := flushed.FindStringSubmatch(line); m != nil {
			switch {
			case strings.HasSuffix(m[3], "= 0"):
				left[m[2]] = nil
			case strings.Contains(m[3], "unfinished"):
				flushing[m[1]] = begun{m[2], len(left[m[2]])}
			}
		} else if m := resumed.FindStringSubmatch(line); m != nil {
			if f, ok := flushing[m[1]]; ok && f.n <= len(left[f.file]) {
				left[f.file] = left[f.file][f.n:]
			}
			delete(flushing, m[1])
		}
	}
	return left, sc.Err()
}

// cut copies a data folder as a power cut would leave it: without what is named.
func cut(data, to string, lost map[string][]span) error {
	return filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && strings.HasPrefix(name, "before-"):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case strings.HasSuffix(name, "-shm"), name == "lock":
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range lost[path] {
			for i := s.from; i < min(s.to, int64(len(b))); i++ {
				b[i] = 0
			}
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o600)
	})
}
