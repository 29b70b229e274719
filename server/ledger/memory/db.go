package memory

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

// DB is one database. Make one with New.
type DB struct {
	epochs     []ledger.Epoch // oldest first; the last is the present one
	forks      map[forkKey]uint64
	replicas   []ledger.Replica // place n holds No n+1
	numbers    map[conflict.ReplicaID]int64
	intake     [][]ledger.Intake     // by No-1, by counter
	quarantine [][]ledger.Quarantine // by No-1, by counter
	history    map[conflict.RecordID][]conflict.Dot
	rows       map[conflict.RecordID]*ledger.Row // rows are replaced, never written to
	registers  map[registerKey][]conflict.RecordID
	order      []registerKey // of registers, sorted, as far as Rows has read them
	positions  map[string]uint64
	hub        map[registerKey]uint64
	backedUp   map[string]uint64 // by unit
	givenBack  map[givenKey]ledger.GivenBack
	emptied    map[emptiedKey]ledger.Emptied
	departed   map[registerKey]map[conflict.RecordID]ledger.Row // by where from; maps are replaced, never written to
	arrivals   map[conflict.RecordID]ledger.Arrival
	rights     map[string][]ledger.Rights // by account
	changes    []ledger.UnitChange        // by list and code
	retired    []ledger.Retirement
	erased     map[conflict.RecordID]bool
	erasures   []ledger.Erasure // by number

	open bool
}

type forkKey struct {
	epoch protocol.Token
	unit  string
}

type givenKey struct {
	record conflict.RecordID
	write  conflict.Dot
}

type registerKey struct{ unit, register string }

type emptiedKey struct {
	account, unit string
	day           int64
}

// New returns an empty database in its first epoch. The epoch's token and its
// server replica are read from random.
func New(random io.Reader) (*DB, error) {
	d := &DB{forks: map[forkKey]uint64{}, numbers: map[conflict.ReplicaID]int64{}, history: map[conflict.RecordID][]conflict.Dot{},
		rows: map[conflict.RecordID]*ledger.Row{}, registers: map[registerKey][]conflict.RecordID{},
		positions: map[string]uint64{}, hub: map[registerKey]uint64{}, backedUp: map[string]uint64{}, givenBack: map[givenKey]ledger.GivenBack{},
		emptied: map[emptiedKey]ledger.Emptied{}, departed: map[registerKey]map[conflict.RecordID]ledger.Row{}, arrivals: map[conflict.RecordID]ledger.Arrival{},
		rights: map[string][]ledger.Rights{}, erased: map[conflict.RecordID]bool{}}
	if err := d.begin(random); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *DB) begin(random io.Reader) error {
	e := ledger.Epoch{Restored: len(d.epochs) > 0}
	if _, err := io.ReadFull(random, e.Token[:]); err != nil {
		return fmt.Errorf("draw an epoch: %w", err)
	}
	if _, err := io.ReadFull(random, e.Server[:]); err != nil {
		return fmt.Errorf("draw the server's replica: %w", err)
	}
	d.epochs = append(d.epochs, e)
	return nil
}

// Clone returns a copy that shares nothing that is ever written to: a backup.
func (d *DB) Clone() *DB {
	c := &DB{epochs: slices.Clone(d.epochs), forks: maps.Clone(d.forks), replicas: slices.Clone(d.replicas), numbers: maps.Clone(d.numbers),
		rows: maps.Clone(d.rows), positions: maps.Clone(d.positions), hub: maps.Clone(d.hub), backedUp: maps.Clone(d.backedUp), givenBack: maps.Clone(d.givenBack),
		emptied: maps.Clone(d.emptied), departed: maps.Clone(d.departed), arrivals: maps.Clone(d.arrivals), rights: maps.Clone(d.rights), changes: slices.Clip(d.changes), retired: slices.Clip(d.retired),
		erased: maps.Clone(d.erased), erasures: slices.Clip(d.erasures)}
	c.intake = make([][]ledger.Intake, len(d.intake))
	for i, list := range d.intake {
		c.intake[i] = slices.Clip(list) // only ever appended to
	}
	c.quarantine = make([][]ledger.Quarantine, len(d.quarantine))
	for i, list := range d.quarantine {
		c.quarantine[i] = slices.Clone(list)
	}
	c.history = make(map[conflict.RecordID][]conflict.Dot, len(d.history))
	for id, list := range d.history {
		c.history[id] = slices.Clip(list)
	}
	c.registers = make(map[registerKey][]conflict.RecordID, len(d.registers))
	for k, list := range d.registers {
		c.registers[k] = slices.Clip(list)
	}
	return c
}

// BackedUp keeps in d that backup holds, beyond the loss of d, what it holds of
// every replica and of every feed. Call it once the backup is where it survives.
func (d *DB) BackedUp(backup *DB) {
	for i := range backup.replicas {
		d.replicas[i].BackedUp = max(d.replicas[i].BackedUp, backup.replicas[i].Acked)
	}
	for unit, p := range backup.positions {
		d.backedUp[unit] = max(d.backedUp[unit], p)
	}
}

// Restore returns the database that comes back from a backup. It differs from
// the backup in three things, which every engine must do in one transaction,
// before the first session:
//
//   - a new epoch follows the backup's last one, with a random token, a server
//     replica that nobody knows, and counter 0;
//   - for the backup's last epoch the forks table keeps the position of every
//     unit in the backup: up to there that epoch agrees with the new one;
//   - everything in it is backed up, for it came from a backup.
//
// How far an older epoch agrees is the least of the forks since then. An epoch
// that lived only after the backup was taken is unknown to the new database,
// and its devices begin again.
func Restore(backup *DB, random io.Reader) (*DB, error) {
	d := backup.Clone()
	ended := d.epochs[len(d.epochs)-1].Token
	for unit, p := range d.positions {
		d.forks[forkKey{ended, unit}] = p
	}
	d.BackedUp(backup)
	if err := d.begin(random); err != nil {
		return nil, err
	}
	return d, nil
}

// Begin opens the transaction. There is one at a time; it sees its own work.
func (d *DB) Begin() *Tx {
	if d.open {
		panic("memory: a transaction is open already")
	}
	d.open = true
	return &Tx{db: d}
}

// Update runs work in a transaction, which stands if work returns nil.
func (d *DB) Update(work func(ledger.Tables) error) error {
	t := d.Begin()
	if err := work(t); err != nil {
		t.Rollback()
		return err
	}
	t.Commit()
	return nil
}

// View runs work on what is committed. Work must not write.
func (d *DB) View(work func(ledger.Tables) error) error {
	t := d.Begin()
	defer t.Rollback()
	return work(t)
}

// Epoch returns the present epoch.
func (d *DB) Epoch() ledger.Epoch { return d.epochs[len(d.epochs)-1] }

// Replicas returns every replica, by No.
func (d *DB) Replicas() []ledger.Replica { return slices.Clone(d.replicas) }

// Intakes returns every changeset of a replica, by counter. The bytes are not
// to be written to.
func (d *DB) Intakes(replica int64) []ledger.Intake { return d.intake[replica-1] }

// GivenBack yields every write that was given back, in no order.
func (d *DB) GivenBack(yield func(*ledger.GivenBack) bool) {
	for _, g := range d.givenBack {
		if !yield(&g) {
			return
		}
	}
}

// Rows yields every record. The rows are not to be written to.
func (d *DB) Rows(yield func(*ledger.Row) bool) {
	if len(d.order) != len(d.registers) || slices.ContainsFunc(d.order, func(k registerKey) bool { _, ok := d.registers[k]; return !ok }) {
		d.order = slices.SortedFunc(maps.Keys(d.registers), registerKey.compare)
	}
	for _, k := range d.order {
		for _, id := range d.registers[k] {
			if !yield(d.rows[id]) {
				return
			}
		}
	}
}

// Arrivals returns the records that wait for their unit's word, by id.
func (d *DB) Arrivals() []ledger.Arrival {
	list := slices.Collect(maps.Values(d.arrivals))
	slices.SortFunc(list, func(a, b ledger.Arrival) int { return a.Record.Compare(b.Record) })
	return list
}

// Row returns a record's row, nil if there is none. It is not to be written to,
// and another row takes its place when the record changes.
func (d *DB) Row(id conflict.RecordID) *ledger.Row { return d.rows[id] }
