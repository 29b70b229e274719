package sqlite

import (
	"fmt"
	"strings"

	"wardbook/server/store"
)

// lastSeen is when the device d of the account a was last heard: when it signed
// in or renewed its token, which is seldom, or reported of its outbox, which is
// whenever it connects and whenever that changes. What a rescue file brought is
// no word of the device.
const lastSeen = `max(d.last_seen_at, coalesce((SELECT max(told_at) FROM replicas s WHERE s.account = a.name AND s.device = d.id), 0))`

// DeviceStates returns up to limit devices whose ids come after the given one,
// by id: of one account, of one unit's accounts, or of all where both are
// empty. A device's report is that of the replica that was heard last, of those
// whose store is not known to be gone and that ever reported: what is written
// after the lease has a replica of its own, which never does.
func (tx *Tx) DeviceStates(account store.AccountID, unit string, after store.DeviceID, limit int) ([]store.DeviceState, error) {
	columns := strings.Replace("d."+strings.ReplaceAll(deviceColumns, ", ", ", d."), "d.last_seen_at", lastSeen, 1)
	rows, err := tx.Query(`SELECT `+columns+`, a.name, a.display_name, coalesce(a.unit, ''),
			coalesce(r.app, ''), coalesce(r.told_at, 0), coalesce(r.unsent, 0), coalesce(r.oldest, 0), coalesce(r.headroom, 0),
			(SELECT coalesce(max(vanished_at), 0) FROM replicas v WHERE v.account = a.name AND v.device = d.id),
			(SELECT coalesce(sum(unsent), 0) FROM replicas v WHERE v.account = a.name AND v.device = d.id AND vanished_at > 0),
			coalesce((SELECT max(i.received) FROM replicas q JOIN intake i ON i.replica = q.no AND i.counter =
				(SELECT max(counter) FROM intake WHERE replica = q.no) WHERE q.account = a.name AND q.device = d.id), 0)
		FROM devices d JOIN accounts a ON a.id = d.account
		LEFT JOIN replicas r ON r.no = (SELECT no FROM replicas WHERE account = a.name AND device = d.id
			AND vanished_at = 0 AND retired_at = 0 ORDER BY told_at > 0 DESC, seen_at DESC, no DESC LIMIT 1)
		WHERE (?1 = '' OR d.account = ?1) AND (?2 = '' OR a.unit = ?2) AND d.id > ?3 ORDER BY d.id LIMIT ?4`, account, unit, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	defer rows.Close()
	var all []store.DeviceState
	for rows.Next() {
		var s store.DeviceState
		var told, oldest, received, vanished int64
		var unsent, left int
		d, err := scanDevice(scanMore{rows, []any{&s.AccountName, &s.Display, &s.Unit, &s.App, &told, &unsent, &oldest, &s.Headroom,
			&vanished, &left, &received}})
		if err != nil {
			return nil, fmt.Errorf("list devices: %w", err)
		}
		s.Device = d
		if s.Unsent, s.VanishedLeft = unsent, left; vanished > 0 {
			s.VanishedAt = fromMillis(vanished)
		}
		if told > 0 {
			s.ToldAt = fromMillis(told)
		}
		if oldest > 0 {
			s.Oldest = fromMillis(oldest)
		}
		if received > 0 {
			s.ReceivedAt = fromMillis(received)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	return all, nil
}
