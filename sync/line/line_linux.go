package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const defaultQueue = 64 << 10

// Line is an open line. Its methods may be called from any goroutine.
type Line struct {
	spaces [2]string // network namespaces
	ends   [2]*direction
	pumps  sync.WaitGroup
}

// direction is the way from an end to the other.
type direction struct {
	device  *os.File
	weather atomic.Pointer[Weather]
	told    struct{ passed, lost atomic.Int64 }
}

// ErrNotHere is wrapped by Open's error where the machine does not allow a line.
var ErrNotHere = errors.New("no line can be laid here")

// laid numbers the lines of this process.
var laid atomic.Int32

// Open lays a line in fair weather. The caller closes it.
func Open() (_ *Line, err error) {
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: network namespaces need root", ErrNotHere)
	}
	removeLeft()
	l := &Line{}
	no := laid.Add(1)
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	for end := range l.ends {
		space := fmt.Sprintf("%s%d-%d-%c", prefix, os.Getpid(), no, 'a'+end)
		if err := run("ip", "netns", "add", space); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotHere, err)
		}
		l.spaces[end] = space
		name := fmt.Sprintf("wb%d%c%d", os.Getpid()%1e6, 'a'+end, no%1e3)
		device, err := openTUN(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotHere, err)
		}
		l.ends[end] = &direction{device: device}
		l.ends[end].weather.Store(&Weather{})
		here, there := End(end).Host(), End(1-end).Host()
		for _, words := range [][]string{
			{"link", "set", name, "netns", space},
			{"-n", space, "addr", "add", here, "peer", there, "dev", name},
			{"-n", space, "link", "set", name, "up"},
			{"-n", space, "link", "set", "lo", "up"},
		} {
			if err := run("ip", words...); err != nil {
				return nil, fmt.Errorf("lay a line: %w", err)
			}
		}
	}
	for end, d := range l.ends {
		l.pumps.Add(1)
		go func() {
			defer l.pumps.Done()
			d.pump(l.ends[1-end].device)
		}()
	}
	return l, nil
}

// prefix begins the name of every namespace of ours; the process's number
// follows.
const prefix = "wardbook-line-"

// removeLeft removes the namespaces of lines whose process was killed.
func removeLeft() {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return // none was ever made
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(strings.TrimPrefix(e.Name(), prefix), "-")
		pid, err := strconv.Atoi(number)
		if strings.HasPrefix(e.Name(), prefix) && err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			_ = run("ip", "netns", "del", e.Name()) // another process may have been first
		}
	}
}

func run(name string, words ...string) error {
	out, err := exec.Command(name, words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(words, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	var request [40]byte // struct ifreq
	copy(request[:unix.IFNAMSIZ-1], name)
	*(*uint16)(unsafe.Pointer(&request[unix.IFNAMSIZ])) = unix.IFF_TUN | unix.IFF_NO_PI
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(&request[0]))); e != 0 {
		unix.Close(fd)
		return nil, fmt.Errorf("make device %s: %w", name, e)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Set changes the weather of the packets that leave end, those on their way
// excepted.
func (l *Line) Set(end End, w Weather) { l.ends[end].weather.Store(&w) }

// SetBoth changes the weather of both directions.
func (l *Line) SetBoth(w Weather) {
	l.Set(Device, w)
	l.Set(Server, w)
}

// Told says what has happened so far to the packets that left end.
func (l *Line) Told(end End) Told {
	d := l.ends[end]
	return Told{d.told.passed.Load(), d.told.lost.Load()}
}

// Command returns a command that runs at end.
func (l *Line) Command(end End, name string, words ...string) *exec.Cmd {
	return exec.Command("ip", append(l.Words(end), append([]string{name}, words...)...)...)
}

// Words stand after ip and before a command that is to run at end.
func (l *Line) Words(end End) []string { return []string{"netns", "exec", l.spaces[end]} }

// Dial connects from end, as net.Dialer does, to an address that is no name.
func (l *Line) Dial(ctx context.Context, end End, network, address string) (conn net.Conn, err error) {
	err = l.at(end, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Listen listens at end, as net.ListenConfig does.
func (l *Line) Listen(ctx context.Context, end End, network, address string) (ln net.Listener, err error) {
	err = l.at(end, func() (err error) {
		ln, err = (&net.ListenConfig{}).Listen(ctx, network, address)
		return err
	})
	return ln, err
}

// at runs do in the namespace of end. A socket belongs for good to the namespace
// in which it was made.
func (l *Line) at(end End, do func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is not unlocked, so it ends with the goroutine and never
		// works for another in this namespace.
		runtime.LockOSThread()
		space, err := os.Open("/run/netns/" + l.spaces[end])
		if err != nil {
			done <- err
			return
		}
		defer space.Close()
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// Close takes the line away. What still runs at its ends has no network any
// more; its owner ends it first.
func (l *Line) Close() error {
	var err error
	for _, d := range l.ends {
		if d != nil {
			err = errors.Join(err, d.device.Close())
		}
	}
	l.pumps.Wait()
	for _, space := range l.spaces {
		if space != "" {
			err = errors.Join(err, run("ip", "netns", "del", space))
		}
	}
	return err
}

type packet struct {
	at    time.Time
	bytes []byte
}

// pump carries what leaves d's end to the other one, until d's device is closed.
func (d *direction) pump(to *os.File) {
	waiting := make(chan packet, 1<<16)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		for p := range waiting {
			time.Sleep(time.Until(p.at))
			if d.weather.Load().Silent {
				d.told.lost.Add(1)
			} else if _, err := to.Write(p.bytes); err == nil {
				d.told.passed.Add(1)
			}
		}
	}()
	defer func() { close(waiting); <-delivered }()
	buf := make([]byte, 1<<16)
	var free, last time.Time // when the sender is free again; when the last packet arrives
	for {
		n, err := d.device.Read(buf)
		if err != nil {
			return
		}
		w, now := d.weather.Load(), time.Now()
		if w.Silent || rand.Float64() < w.Loss {
			d.told.lost.Add(1)
			continue
		}
		at := now
		if w.Rate > 0 {
			if free.Before(now) {
				free = now
			}
			queue := w.Queue
			if queue == 0 {
				queue = defaultQueue
			}
			if free.Sub(now).Seconds()*float64(w.Rate)/8 > float64(queue) {
				d.told.lost.Add(1)
				continue
			}
			free = free.Add(time.Duration(float64(n) * 8 / float64(w.Rate) * float64(time.Second)))
			at = free
		}
		at = at.Add(w.Delay + time.Duration((2*rand.Float64()-1)*float64(w.Jitter)))
		if at.Before(last) {
			at = last
		}
		last = at
		select {
		case waiting <- packet{at, bytes.Clone(buf[:n])}:
		default:
			d.told.lost.Add(1)
		}
	}
}
