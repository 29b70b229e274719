package main

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unackedFor is how long the network may acknowledge nothing of what was sent. A
// device that can be heard and hears nothing asks after 10 s of silence, and of
// the answer nothing arrives. Its hanging up may not either: behind what it
// repeats in vain the end of a connection waits for its turn.
const unackedFor = 18 * time.Second

// listenOn listens for connections that end when the way back is dead.
func listenOn(address string) (net.Listener, error) {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		// Accepted sockets inherit it.
		failed := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unackedFor.Milliseconds()))
		})
		if failed != nil {
			return failed
		}
		return err
	}}
	return c.Listen(context.Background(), "tcp", address)
}
