package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
)

// UnitCensus is what a database holds of one unit.
type UnitCensus struct {
	Unit       string
	Position   uint64 // last of its feed
	Records    int
	Changesets int // every one that was ever taken in
	Quarantine int // of them kept aside, settled entries included
	Approvals  int
	// State is SHA-256 over the records, in the order of their ids: replica and
	// counter, both positions, and the state's bytes with their length.
	State [sha256.Size]byte
}

// Census counts what the database holds, by unit.
func (l *Ledger) Census() ([]UnitCensus, error) {
	rows, err := l.tx.Query(`SELECT u.unit, coalesce(p.position, 0),
			(SELECT count(*) FROM intake i WHERE i.unit = u.unit),
			(SELECT count(*) FROM quarantine q JOIN intake i USING (replica, counter) WHERE i.unit = u.unit),
			(SELECT count(*) FROM approvals a WHERE a.unit = u.unit)
		FROM (SELECT unit FROM positions UNION SELECT unit FROM records UNION SELECT unit FROM intake) u
		LEFT JOIN positions p ON p.unit = u.unit ORDER BY u.unit`)
	if err != nil {
		return nil, fmt.Errorf("count units: %w", err)
	}
	defer rows.Close()
	var all []UnitCensus
	for rows.Next() {
		var c UnitCensus
		if err := rows.Scan(&c.Unit, &c.Position, &c.Changesets, &c.Quarantine, &c.Approvals); err != nil {
			return nil, fmt.Errorf("count units: %w", err)
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count units: %w", err)
	}
	rows.Close()
	for i := range all {
		if err := l.countRecords(&all[i]); err != nil {
			return nil, fmt.Errorf("count records: %w", err)
		}
	}
	return all, nil
}

func (l *Ledger) countRecords(c *UnitCensus) error {
	rows, err := l.tx.Query(`SELECT p.id, r.counter, r.position, r.sensitive, r.state FROM records r JOIN replicas p ON p.no = r.replica
		WHERE r.unit = ? ORDER BY p.id, r.counter`, c.Unit)
	if err != nil {
		return err
	}
	defer rows.Close()
	sum := sha256.New()
	var head []byte
	for rows.Next() {
		var id, state sql.RawBytes
		var counter, position, sensitive uint64
		if err := rows.Scan(&id, &counter, &position, &sensitive, &state); err != nil {
			return err
		}
		c.Records++
		head = append(head[:0], id...)
		for _, n := range []uint64{counter, position, sensitive, uint64(len(state))} {
			head = binary.BigEndian.AppendUint64(head, n)
		}
		sum.Write(head)
		sum.Write(state)
	}
	sum.Sum(c.State[:0])
	return rows.Err()
}

// Fate is what became of the changesets that one replica handed in for one unit
// on one day of the city. Taken is the sum of the others, or something is lost.
type Fate struct {
	Replica conflict.ReplicaID
	Unit    string
	Day     string // 2006-01-02
	Taken   int
	Applied int // touched a record
	Aside   int // in quarantine, settled or not
	Both    int
	Neither int
}

// Fates returns those of all replicas, units and days.
func (l *Ledger) Fates() ([]Fate, error) {
	rows, err := l.tx.Query(`WITH applied AS MATERIALIZED (SELECT DISTINCT replica, counter, 1 AS yes FROM history)
		SELECT p.id, i.unit, date(i.received / 1000 + 25200, 'unixepoch') AS day, count(*),
			sum(a.yes IS NOT NULL AND q.code IS NULL), sum(a.yes IS NULL AND q.code IS NOT NULL),
			sum(a.yes IS NOT NULL AND q.code IS NOT NULL), sum(a.yes IS NULL AND q.code IS NULL)
		FROM intake i JOIN replicas p ON p.no = i.replica
		LEFT JOIN applied a ON a.replica = i.replica AND a.counter = i.counter
		LEFT JOIN quarantine q ON q.replica = i.replica AND q.counter = i.counter
		GROUP BY i.replica, i.unit, day ORDER BY i.replica, i.unit, day`)
	if err != nil {
		return nil, fmt.Errorf("tally changesets: %w", err)
	}
	defer rows.Close()
	var all []Fate
	for rows.Next() {
		var t Fate
		var id []byte
		if err := rows.Scan(&id, &t.Unit, &t.Day, &t.Taken, &t.Applied, &t.Aside, &t.Both, &t.Neither); err != nil {
			return nil, fmt.Errorf("tally changesets: %w", err)
		}
		t.Replica = conflict.ReplicaID(id)
		all = append(all, t)
	}
	return all, rows.Err()
}

// Gaps says in words where counters, positions or revisions that must follow
// each other do not.
func (l *Ledger) Gaps() (found []string, err error) {
	for _, q := range []string{
		// A replica's changesets follow each other, up to what was acknowledged.
		`SELECT 'replica ' || lower(hex(p.id)) || ' stores its changesets with a gap after counter ' || (i.counter - 1)
			FROM (SELECT replica, counter, lag(counter + count, 1, 1) OVER (PARTITION BY replica ORDER BY counter) AS due FROM intake) i
			JOIN replicas p ON p.no = i.replica WHERE i.counter <> i.due`,
		`SELECT 'replica ' || lower(hex(p.id)) || ' was told that counters up to ' || p.acked || ' are stored; they end at ' || coalesce(max(i.counter + i.count - 1), 0)
			FROM replicas p LEFT JOIN intake i ON i.replica = p.no GROUP BY p.no HAVING p.acked <> coalesce(max(i.counter + i.count - 1), 0)`,
		`SELECT 'the epoch says that the server wrote up to ' || e.counter || '; its replica is at ' || p.acked
			FROM (SELECT server, counter FROM epochs ORDER BY seq DESC LIMIT 1) e JOIN replicas p ON p.id = e.server WHERE p.acked <> e.counter`,
		// A record stands at a position that its unit has given out.
		`SELECT 'record ' || lower(hex(p.id)) || '-' || r.counter || ' of unit ' || r.unit || ' stands at position ' || max(r.position, r.sensitive) || ', and the feed ends at ' || coalesce(f.position, 0)
			FROM records r JOIN replicas p ON p.no = r.replica LEFT JOIN positions f ON f.unit = r.unit WHERE max(r.position, r.sensitive) > coalesce(f.position, 0)`,
		// The hub's revisions are without a gap.
		`SELECT 'the hub''s feed of ' || g.id || ' in unit ' || a.unit || ' goes from revision ' || (a.due - 1) || ' to ' || a.revision
			FROM (SELECT unit, register, revision, lag(revision, 1, 0) OVER (PARTITION BY unit, register ORDER BY revision) + 1 AS due FROM approvals WHERE revision > 0) a
			JOIN registers g ON g.no = a.register WHERE a.revision <> a.due`,
		`SELECT 'the hub''s feed of ' || v.register || ' in unit ' || v.unit || ' has given out revision ' || v.revision || ' and ends at ' || coalesce(max(a.revision), 0)
			FROM revisions v LEFT JOIN registers g ON g.id = v.register LEFT JOIN approvals a ON a.unit = v.unit AND a.register = g.no
			GROUP BY v.unit, v.register HAVING v.revision <> coalesce(max(a.revision), 0)`,
	} {
		texts, err := l.texts(q)
		if err != nil {
			return nil, fmt.Errorf("look for gaps: %w", err)
		}
		found = append(found, texts...)
	}
	return found, nil
}

// Uneven says in words which units have given out another number of positions than
// was taken: by each changeset that was applied one, and one by each record in
// which something was given back. It holds as long as no record has moved.
func (l *Ledger) Uneven() ([]string, error) {
	found, err := l.texts(`WITH applied AS MATERIALIZED (SELECT DISTINCT replica, counter FROM history),
			taken AS (SELECT i.unit FROM applied JOIN intake i USING (replica, counter)
				UNION ALL SELECT unit FROM given_positions)
			SELECT 'the feed of unit ' || f.unit || ' ends at position ' || f.position || ', and ' || count(t.unit) || ' changesets were applied'
			FROM positions f LEFT JOIN taken t ON t.unit = f.unit GROUP BY f.unit HAVING f.position <> count(t.unit)`)
	if err != nil {
		return nil, fmt.Errorf("compare positions: %w", err)
	}
	return found, nil
}

func (l *Ledger) texts(query string) ([]string, error) {
	rows, err := l.tx.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// GivenBackCount returns how many writes devices have given back, and how many
// reviews among them wait for what they approved.
func (l *Ledger) GivenBackCount() (writes, unsealed int, err error) {
	err = l.tx.QueryRow(`SELECT (SELECT count(*) FROM given_back), (SELECT count(*) FROM unsealed)`).Scan(&writes, &unsealed)
	if err != nil {
		err = fmt.Errorf("count given back: %w", err)
	}
	return writes, unsealed, err
}

// RecordsAfter lists up to limit records, in an order of the engine's own, after
// the one that a call before ended with; the zero id begins.
func (l *Ledger) RecordsAfter(after conflict.RecordID, limit int) ([]ledger.Row, error) {
	no, err := l.number(after.Replica)
	if err != nil {
		return nil, err
	}
	return l.rows(`SELECT `+recordColumns+` FROM records WHERE (replica, counter) > (?, ?) ORDER BY replica, counter LIMIT ?`, no, after.Counter, limit)
}
