// Package line is a bad line between two ends on one machine: two network
// namespaces whose every packet passes through this process, which delays,
// loses, limits or swallows it. The kernel's own TCP runs at both ends, so what
// a real line does to it happens: retransmission, stalls, half-open sockets.
//
// It does what tc netem would, for kernels that are built without it, and takes
// after a small tool that the field trials were made with. It needs Linux, root
// and TUN devices; Open says what is missing. The namespaces, their addresses
// and the devices are the line's own and go with it; nothing else of the
// machine's network is touched, and no packet leaves the machine.
//
// The package is for tests and benchmarks. It decides nothing about sync.
package line
