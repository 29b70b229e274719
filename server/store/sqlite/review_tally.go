package sqlite

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
)

// WorkSince lists, in no order that matters, the changesets of an account's
// replicas that the server received since a time, what became of them not asked,
// with those that came out of quarantine and the writes that were given back.
func (l *Ledger) WorkSince(account string, since int64) ([]ledger.Intake, error) {
	rows, err := l.tx.Query(`SELECT i.replica, i.counter, i.received, i.body FROM replicas r JOIN intake i ON i.replica = r.no
			WHERE r.account = ?1 AND i.received >= ?2
		UNION ALL SELECT g.replica, g.counter, g.received, g.body FROM replicas r JOIN given_back g ON g.replica = r.no
			WHERE r.account = ?1 AND g.received >= ?2 AND g.aside = 0
		UNION ALL SELECT i.replica, i.counter, i.received, i.body FROM quarantine q
			JOIN releases x ON x.replica = q.replica AND x.counter = q.counter
			JOIN intake i ON i.replica = x.to_replica AND i.counter = x.to_counter
			WHERE q.author = ?1 AND q.at >= ?2`, account, since)
	if err != nil {
		return nil, fmt.Errorf("list work: %w", err)
	}
	defer rows.Close()
	var list []ledger.Intake
	for rows.Next() {
		var in ledger.Intake
		if err := rows.Scan(&in.Replica, &in.Counter, &in.Received, &in.Bytes); err != nil {
			return nil, fmt.Errorf("list work: %w", err)
		}
		list = append(list, in)
	}
	return list, rows.Err()
}

// AsideSince lists the entries of quarantine that an author's work was kept in
// since a time and that were not released, in the order of their writing. What an
// entry says of its author is believed where its replica is the author's.
func (l *Ledger) AsideSince(author string, since int64) ([]ledger.Quarantine, error) {
	return l.quarantine(quarantineQuery+` WHERE author = ?1 AND at >= ?2 AND settled <> 'released'
		AND EXISTS (SELECT 1 FROM replicas r WHERE r.no = q.replica AND r.account = ?1) ORDER BY replica, counter`, author, since)
}

// FirstReceipts returns when the changesets were received that were released from
// quarantine in an author's name, by the first write that they were released as.
func (l *Ledger) FirstReceipts(author string) (map[conflict.Dot]int64, error) {
	rows, err := l.tx.Query(`SELECT p.id, x.to_counter, q.at FROM quarantine q
		JOIN releases x ON x.replica = q.replica AND x.counter = q.counter JOIN replicas p ON p.no = x.to_replica WHERE q.author = ?`, author)
	if err != nil {
		return nil, fmt.Errorf("list releases: %w", err)
	}
	defer rows.Close()
	at := map[conflict.Dot]int64{}
	for rows.Next() {
		var id []byte
		var d conflict.Dot
		var received int64
		if err := rows.Scan(&id, &d.Counter, &received); err != nil {
			return nil, fmt.Errorf("list releases: %w", err)
		}
		copy(d.Replica[:], id)
		at[d] = received
	}
	return at, rows.Err()
}
