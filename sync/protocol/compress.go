package protocol

import (
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"sync"
)

// flateLevel was measured; see the note in ../README.md.
const flateLevel = 5

// flateLeast is the length in bytes below which a column is not tried: a
// single change fits in, and costs a device no compressor.
const flateLeast = 64

// How a column is packed: the lowest two bits of its first number, whose rest
// is its length.
const (
	packStored = 0 // the bytes follow
	packFlate  = 1 // a length, then that many bytes of DEFLATE
	packSame   = 2 // one byte follows, which all of them equal
)

// A long column is tried by samples first: where looking for repetitions gains
// next to nothing over coding the letters by their frequency, as with numbers
// and random keys, it is not done. It would take most of the time of a push.
const (
	sampleLeast = 16 << 10 // bytes of a column that is sampled
	samples     = 4
	sampleBytes = 1 << 10 // of one sample; repetitions reach back 32 KiB at most
)

type deflater struct {
	w   *flate.Writer // looks for repetitions
	h   *flate.Writer // does not
	out sliceWriter
}

// deflate leaves b in d.out, packed by w.
func (d *deflater) deflate(w *flate.Writer, parts ...[]byte) {
	d.out.b = d.out.b[:0]
	w.Reset(&d.out)
	for _, b := range parts {
		if _, err := w.Write(b); err != nil {
			panic(fmt.Sprintf("deflate into memory: %v", err)) // the writer never fails
		}
	}
	if err := w.Close(); err != nil {
		panic(fmt.Sprintf("deflate into memory: %v", err))
	}
}

// writerFor returns the writer that b is packed by.
func (d *deflater) writerFor(b []byte) *flate.Writer {
	if len(b) < sampleLeast {
		return d.w
	}
	var parts [samples][]byte
	for i := range parts {
		at := i * (len(b) - sampleBytes) / (samples - 1)
		parts[i] = b[at : at+sampleBytes]
	}
	d.deflate(d.h, parts[:]...)
	letters := len(d.out.b)
	d.deflate(d.w, parts[:]...)
	if len(d.out.b) > letters-letters/32 {
		return d.h
	}
	return d.w
}

type sliceWriter struct{ b []byte }

func (s *sliceWriter) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// deflaters holds those that wait for their next use. A compressor is a
// megabyte: a pool that is emptied at each collection of garbage would make
// most of that garbage itself.
var deflaters = make(chan *deflater, 2)

// takeDeflater returns a deflater to work with; give it back when done.
func takeDeflater() *deflater {
	select {
	case d := <-deflaters:
		return d
	default:
		return newDeflater()
	}
}

func (d *deflater) giveBack() {
	select {
	case deflaters <- d:
	default:
	}
}

func newDeflater() *deflater {
	d := &deflater{}
	for _, l := range []struct {
		w     **flate.Writer
		level int
	}{{&d.w, flateLevel}, {&d.h, flate.HuffmanOnly}} {
		var err error
		if *l.w, err = flate.NewWriter(&d.out, l.level); err != nil {
			panic(fmt.Sprintf("flate level %d: %v", l.level, err)) // a constant of ours
		}
	}
	return d
}

// appendColumn appends the column with the given bytes, as short as it gets if
// pack is set, else stored.
func appendColumn(dst, b []byte, pack bool) []byte {
	n := uint64(len(b)) << 2
	if pack && len(b) > 1 && allSame(b) {
		return append(appendNumber(dst, n|packSame), b[0])
	}
	if pack && len(b) >= flateLeast {
		d := takeDeflater()
		defer d.giveBack()
		d.deflate(d.writerFor(b), b)
		if len(d.out.b)+3 < len(b) {
			dst = appendNumber(appendNumber(dst, n|packFlate), uint64(len(d.out.b)))
			return append(dst, d.out.b...)
		}
	}
	return append(appendNumber(dst, n|packStored), b...)
}

func allSame(b []byte) bool {
	for _, c := range b {
		if c != b[0] {
			return false
		}
	}
	return true
}

// inflater unpacks columns through one small buffer.
type inflater struct {
	in  strings.Reader
	r   io.ReadCloser
	buf [4 << 10]byte
}

var inflaters = sync.Pool{New: func() any {
	z := &inflater{}
	z.r = flate.NewReader(&z.in)
	return z
}}

// inflate appends to out exactly n bytes unpacked from packed, which must hold
// nothing more. It never appends more than n.
func inflate(out *strings.Builder, packed string, n int) bool {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.in.Reset(packed)
	defer z.in.Reset("")
	if err := z.r.(flate.Resetter).Reset(&z.in, nil); err != nil {
		return false
	}
	for {
		m, err := z.r.Read(z.buf[:])
		if m > n {
			return false
		}
		n -= m
		out.Write(z.buf[:m])
		if err == io.EOF {
			return n == 0 && z.in.Len() == 0
		}
		if err != nil {
			return false
		}
	}
}
