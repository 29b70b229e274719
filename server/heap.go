package main

import "runtime"

// spareBytes is how much a process that serves may hold beyond what it uses
// before its first collection of garbage. The collector runs whenever the heap
// has doubled; a server with few devices uses some 8 MB, and would run it for
// every few megabytes of a push. The spare is address space: it is never
// touched, and takes no memory.
const spareBytes = 48 << 20

var spare []byte

// spareHeap makes collections rare while little is in use.
func spareHeap() {
	spare = make([]byte, spareBytes)
	runtime.KeepAlive(spare)
}
