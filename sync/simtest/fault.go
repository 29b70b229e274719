package simtest

import (
	"fmt"
	"slices"

	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// network does what connections do, or what is done to them.
func (w *world) network(d *device, s Step) {
	switch s.Op {
	case opConnect:
		d.wants = true
		if d.rep != nil {
			d.host.Step(session.Start{Now: d.now()})
		}
		d.on()
	case opLeave:
		d.wants = false
		if d.rep != nil {
			d.host.Step(session.Stop{})
		}
	case opRun:
		if d.on() {
			d.drain(int(s.B % 4))
		}
	case opFlow:
		if d.on() {
			w.flow(d, 1+int(s.B%24))
		}
	default:
		links := w.linksOf(d)
		if len(links) == 0 {
			return
		}
		w.linkStep(d, links[int(s.B>>8)%len(links)], s)
	}
}

func (w *world) linkStep(d *device, l *link, s Step) {
	queue := &l.up
	if s.B&1 != 0 {
		queue = &l.dn
	}
	n := len(*queue)
	i := int(s.B>>1) & 63
	switch s.Op {
	case opUp:
		w.deliverUp(l)
	case opDown:
		w.deliverDown(l)
	case opServe:
		w.server.work(l.s, int(s.B%4))
	case opHang:
		// Each end learns of it when it gets there: what is on the way is lost
		// or not.
		l.left, l.closed = true, true
		if s.B&2 != 0 {
			l.up, l.dn = nil, nil
		}
		if d.link == l && s.B&4 != 0 {
			d.lost()
		}
	case opCut:
		if s.B&1 != 0 {
			l.dnCut = true
		} else {
			l.upCut = true
		}
		if s.B&2 != 0 {
			*queue = nil
		}
	case opRepeat:
		if n > 0 {
			m := (*queue)[i%n]
			*queue = append(*queue, m)
			if s.B&128 != 0 { // right behind itself
				*queue = slices.Insert((*queue)[:n:n], i%n, m)
			}
		}
	case opSwap:
		if n > 1 {
			j := i % (n - 1)
			if _, ok := (*queue)[j].(*protocol.Refusal); ok {
				return // goes with the acknowledgement behind it
			}
			l.disturbed = true
			*queue = slices.Clone(*queue)
			(*queue)[j], (*queue)[j+1] = (*queue)[j+1], (*queue)[j]
		}
	case opDrop:
		if n > 0 {
			if _, ok := (*queue)[i%n].(*protocol.Refusal); ok {
				return
			}
			l.disturbed = true
			*queue = slices.Delete(slices.Clone(*queue), i%n, i%n+1)
		}
	}
}

// fault breaks a device or the server.
func (w *world) fault(d *device, s Step) {
	switch s.Op {
	case opCrash:
		if s.B%8 == 0 && d.rep != nil {
			d.crash()
		} else if d.on() {
			d.fuse = int(s.B % 8)
		}
	case opFail:
		if s.B%8 == 0 {
			w.server.crash()
		} else {
			w.server.fuse = int(s.B % 8)
		}
	case opCopy:
		d.copy = d.setAside()
	case opClone:
		if len(w.devices) < maxDevices {
			w.clone(d)
		}
	case opReturn:
		if d.copy != nil {
			if d.rep != nil {
				d.crash()
			}
			d.takeStore(d.copy)
		}
	case opWipe:
		w.wipe(d)
	case opBackup:
		w.server.backUp()
	case opRestore:
		w.server.restore()
	}
}

// clone starts a device on a copy of another's store.
func (w *world) clone(d *device) {
	c := w.newDevice(d.account)
	c.takeStore(d.setAside())
	c.wants = d.wants
	c.skew = d.skew
	w.logf("  device %d is a copy of device %d", c.no, d.no)
}

// wipe loses a device's store; its officer signs in again.
func (w *world) wipe(d *device) {
	if d.rep != nil {
		d.crash()
	}
	old := d.meta
	d.reset()
	w.bugWipe(d, old)
}

// heal ends every fault: links are cut off, clocks go on, rights are back.
func (w *world) heal() {
	w.logf("heal")
	w.server.fuse = 0
	for i := range w.accounts {
		w.accounts[i].banned, w.accounts[i].revoked = false, false
	}
	kept := w.links[:0]
	for _, l := range w.links {
		if l.d.link == l && !l.upCut && !l.dnCut && !l.left && !l.closed && !l.s.gone && l.healthy() {
			kept = append(kept, l)
			continue
		}
		if l.s != nil && !l.s.gone {
			w.sessionLost(l.s)
			w.server.work(l.s, -1)
		}
	}
	w.links = kept
	for _, d := range w.devices {
		d.fuse = 0
		if d.link != nil && !slices.Contains(kept, d.link) {
			d.lost()
		}
		d.wants = true
		d.on()
	}
}

// healthy reports whether the device holds all the streams that it wants: a
// device that was refused one asks again in its next session.
func (l *link) healthy() bool {
	if l.disturbed || l.d.rep == nil || l.d.host.Status().Link != session.Live {
		return false
	}
	for _, s := range l.d.host.Status().Streams {
		if !s.Granted {
			return false
		}
	}
	return true
}

// quiesce lets everything be said until nobody has anything to say.
func (w *world) quiesce() {
	w.heal()
	for round := 0; w.violation == nil && !w.excused; round++ {
		if round == 60 {
			for _, d := range w.devices {
				if !d.resting() {
					w.fail(oracleRest, fmt.Sprintf("device %d still talks after a long time: %+v", d.no, d.host.Status()))
				}
			}
			w.fail(oracleRest, "it never ends")
			return
		}
		w.now++
		for _, d := range w.devices {
			d.on()
			d.host.Refresh()
			if d.link == nil {
				d.drain(-1)
				d.host.Step(session.Online{Now: d.now()})
			}
			w.flow(d, 400)
		}
		resting := true
		for _, d := range w.devices {
			resting = resting && d.resting()
		}
		if resting {
			break
		}
		if round%4 == 3 { // somebody waits for a timer
			w.now += 31_000
			for _, d := range w.devices {
				d.tick()
			}
			w.server.tick()
		}
	}
}

// resting reports whether a device has nothing to say or to hear.
func (d *device) resting() bool {
	if d.rep == nil || !d.host.Idle() || d.link == nil || len(d.link.up)+len(d.link.dn) > 0 {
		return false
	}
	return d.link.s != nil && !d.link.s.gone && d.link.s.idle() && d.link.s.machine.Idle()
}
