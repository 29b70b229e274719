package line

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// open lays a line with a listener that sends back what it gets.
func open(t *testing.T) (l *Line, dial func() net.Conn) {
	t.Helper()
	l, err := Open()
	if errors.Is(err, ErrNotHere) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	ln, err := l.Listen(context.Background(), Server, "tcp", Server.Host()+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l, func() net.Conn {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c, err := l.Dial(ctx, Device, "tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

func TestLine(t *testing.T) {
	l, dial := open(t)
	c := dial()
	r := bufio.NewReader(c)
	ask := func() (time.Duration, error) {
		began := time.Now()
		c.SetDeadline(began.Add(3 * time.Second))
		if _, err := fmt.Fprintln(c, "ping"); err != nil {
			return 0, err
		}
		_, err := r.ReadString('\n')
		return time.Since(began), err
	}
	if took, err := ask(); err != nil || took > time.Second {
		t.Fatalf("fair weather: got %v, %v", took, err)
	}
	l.SetBoth(Weather{Delay: 150 * time.Millisecond})
	if took, err := ask(); err != nil || took < 290*time.Millisecond {
		t.Errorf("150 ms each way: got %v, %v", took, err)
	}
	l.SetBoth(Weather{Rate: 64_000})
	began := time.Now()
	c.SetDeadline(began.Add(time.Minute))
	go c.Write(make([]byte, 16<<10))
	if _, err := io.ReadFull(r, make([]byte, 16<<10)); err != nil || time.Since(began) < 1900*time.Millisecond {
		t.Errorf("16 KiB at 64 kbit/s: got %v, %v, want at least 2 s", time.Since(began), err)
	}
	l.Set(Server, Weather{Silent: true})
	if took, err := ask(); err == nil {
		t.Errorf("silent one way: got an answer after %v", took)
	}
	l.SetBoth(Weather{Loss: 0.1})
	c = dial()
	r = bufio.NewReader(c)
	c.SetDeadline(time.Now().Add(time.Minute))
	go c.Write(make([]byte, 256<<10))
	if _, err := io.ReadFull(r, make([]byte, 256<<10)); err != nil {
		t.Errorf("a tenth lost: %v", err)
	}
	if told := l.Told(Device); told.Lost == 0 || told.Passed == 0 {
		t.Errorf("got %+v", told)
	}
}
