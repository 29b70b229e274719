package line

import "time"

// Weather is what happens to the packets of one direction. The zero Weather is
// a line without fault.
type Weather struct {
	Delay  time.Duration // of every packet
	Jitter time.Duration // up to so much more or less; packets keep their order
	Loss   float64       // share of packets that are lost, 0 to 1
	Rate   int           // bits a second; 0 means any number
	Queue  int           // bytes that wait for Rate before more are lost; 0 means 64 KiB
	Silent bool          // nothing passes, and nobody is told
}

// End names an end of the line.
type End int

// The ends: where devices are, and where the server is.
const (
	Device End = iota
	Server
)

// Host is the address of the end, in its own namespace.
func (e End) Host() string { return [...]string{"10.77.0.1", "10.77.0.2"}[e] }

// Told is what happened to the packets of one direction.
type Told struct{ Passed, Lost int64 }
