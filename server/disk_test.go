package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wardbook/sync/protocol"
)

// disk is a small file system of its own, mounted for one test.
type disk struct {
	at   string
	kind string
}

// mountDisk mounts a file system of kind tmpfs or ext4 and size bytes; the test
// unmounts it. It skips where that is not allowed.
func mountDisk(t *testing.T, kind string, size int) *disk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
	folder := t.TempDir()
	d := &disk{at: filepath.Join(folder, "disk"), kind: kind}
	if err := os.Mkdir(d.at, 0o700); err != nil {
		t.Fatal(err)
	}
	words := []string{"mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "tmpfs", d.at}
	if kind == "ext4" {
		image := filepath.Join(folder, "disk.img")
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(image, int64(size)); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("/sbin/mkfs.ext4", "-q", "-m", "0", "-F", image).CombinedOutput(); err != nil {
			t.Skipf("no ext4 file system can be made here: %v %s", err, out)
		}
		words = []string{"mount", "-o", "loop", image, d.at}
	}
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Skipf("a %s file system cannot be mounted here: %v %s", kind, err, out)
	}
	t.Cleanup(func() {
		for range 50 {
			if unix.Unmount(d.at, 0) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond) // its last process is still going
		}
		t.Errorf("%s could not be unmounted", d.at)
	})
	return d
}

func (d *disk) filler() string { return filepath.Join(d.at, "filler") }

// leave fills the disk up to pages of 4 KiB.
func (d *disk) leave(t *testing.T, pages int) {
	t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 8 { // the file system needs room of its own for a long file
		free, err := d.free()
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		more := free - int64(pages)*4096
		switch {
		case more > 0:
			err = unix.Fallocate(int(f.Fd()), 0, info.Size(), more)
		case more < 0:
			err = f.Truncate(max(0, info.Size()+more))
		default:
			return
		}
		if err != nil && !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	if free, err := d.free(); err != nil || free > int64(pages)*4096 {
		t.Fatalf("the disk has %d bytes left, want %d pages (%v)", free, pages, err)
	}
}

func (d *disk) free() (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(d.at, &s)
	return int64(s.Bavail) * s.Bsize, err
}

// empty gives all room back.
func (d *disk) empty(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.filler()); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestDiskFillsUnderPushes leaves the server every number of pages that a push
// might still find, and pushes until it is refused: never acknowledged and not
// kept, never the end of the process, and taken once there is room.
func TestDiskFillsUnderPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes on disks of their own")
	}
	for _, kind := range []string{"tmpfs", "ext4"} {
		t.Run(kind, func(t *testing.T) {
			d := mountDisk(t, kind, 512<<20)
			data := filepath.Join(d.at, "data")
			u := newPusher(3)
			u.padding = 8 << 10
			p := startProcess(t, data)
			steps := times(1, 16, 256)
			for pages := range steps {
				d.leave(t, pages)
				w := u.open(t, p)
				refused := u.push(w, 400)
				if p.hasEnded() {
					t.Fatalf("%d pages free: the server ended: %s", pages, p.stderr())
				}
				if refused == nil || refused.Code != protocol.Busy || refused.RetryAfter == 0 || !strings.Contains(refused.Detail, "storage") {
					free, _ := d.free()
					t.Fatalf("%d pages free: got %v, want busy, why, and when to come again (%d bytes are left): %s", pages, refused, free, p.stderr())
				}
				d.empty(t)
				w = u.open(t, p)
				before := u.acked
				if refused := u.push(w, 2); refused != nil || u.acked <= before {
					t.Fatalf("%d pages free, then room: got %v", pages, refused)
				}
				if pages%32 == 31 { // the next steps need the room
					u.check(t, p)
					p.kill()
					if err := os.RemoveAll(data); err != nil {
						t.Fatal(err)
					}
					p = startProcess(t, data)
					acked := u.acked
					u = newPusher(byte(3 + pages))
					u.padding = 8 << 10
					t.Logf("%d acknowledged writes, 0 lost", acked)
				}
			}
			u.check(t, p)
			tell(t, "disk full ("+kind+"), with 0, 1, 2 … pages of 4 KiB left", steps, "refused each time, 0 acknowledged writes lost, then taken")
		})
	}
}

// TestStartOnAFullDisk starts on folders, new ones and ones left by a kill, with
// few pages free: it serves, or says why it does not and leaves nothing that
// keeps a later start from serving.
func TestStartOnAFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes on disks of their own")
	}
	bin, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	d := mountDisk(t, "tmpfs", 256<<20)
	left := filepath.Join(d.at, "left")
	u := newPusher(4)
	p := startProcess(t, left)
	u.push(u.open(t, p), 5)
	p.kill()
	steps := times(1, 12, 128)
	served := 0
	for step := range steps {
		for _, data := range []string{left, filepath.Join(d.at, fmt.Sprintf("new-%d", step))} {
			d.leave(t, step*8)
			cmd := exec.Command(bin, "serve", "-listen", "127.0.0.1:0", "-data", data)
			var errs, out said
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { cmd.Wait(); close(ended) }()
			for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
				if strings.Contains(out.String(), "listening") {
					cmd.Process.Kill()
				}
				if time.Since(begun) > time.Minute {
					cmd.Process.Kill()
					t.Fatalf("%d pages free: neither served nor ended in a minute", step*8)
				}
				select {
				case <-ended:
				default:
					continue
				}
				break
			}
			if out.String() != "" {
				served++
			} else if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(errs.String(), "-data "+data) {
				t.Errorf("%d pages free: got exit %d, %q", step*8, cmd.ProcessState.ExitCode(), errs.String())
			}
			d.empty(t)
			if p := startProcess(t, data); data == left {
				u.open(t, p).ws.Close()
				p.kill()
			} else {
				p.kill()
				if err := os.RemoveAll(data); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	p = startProcess(t, left)
	u.check(t, p)
	tell(t, "start with 0, 8, 16 … pages of 4 KiB left, new and used folder", 2*steps, "%d served, the others said why, all served with room, 0 lost", served)
}
