package store

import (
	"database/sql/driver"
	"io"

	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

type roomStmts struct {
	older, newer, droppable, open *direct.Stmt

	row [3]driver.Value
}

// Of pushes with a collapse key only those that wait, in the queue or for their time, can be replaced. One with TTL 0 never waits.
const (
	queryOlder = "SELECT id, size FROM push WHERE ep = ?1 AND collapse = ?2 AND place < 4 AND state = 0 AND expires > created ORDER BY place, id"
	// What failed was received; what ended otherwise may never have been.
	queryNewer = "SELECT max(id) FROM push WHERE ep = ?1 AND collapse = ?2 AND place IN (0, 1, 2, 3, 4) AND id > ?3 AND state < 5 AND (state > 0 OR expires > created)"

	queryOpenOfKey = "SELECT count(*) FROM push WHERE ep = ? AND collapse = ? AND place < 4"

	queryDroppable = "SELECT id, size, expires > created AND collapse IS NOT ?3 FROM push WHERE ep = ?1 AND place = ?2 ORDER BY id"
)

func newRoomStmts(p *direct.Preparer) roomStmts {
	return roomStmts{older: p.Prepare(queryOlder), newer: p.Prepare(queryNewer), droppable: p.Prepare(queryDroppable), open: p.Prepare(queryOpenOfKey)}
}

// sized is a push with the size of its kept payload.
type sized struct {
	id   push.ID
	size int64
}

// older returns the waiting pushes of an endpoint with a collapse key.
func (t *tx) older(ep int64, key string) (found []sized, err error) {
	row := t.room.row[:2]
	err = t.room.older.Each(row, func() error {
		found = append(found, sized{push.ID(direct.Int(row[0])), direct.Int(row[1])})
		return nil
	}, ep, key)
	return found, err
}

// openOf counts the pushes of an endpoint with a collapse key that are not final.
func (t *tx) openOf(ep int64, key string) (int64, error) {
	row := t.room.row[:1]
	_, err := t.room.open.Row(row, ep, key)
	return direct.Int(row[0]), err
}

// newerThan returns the newest push behind r with its collapse key that waits or was sent, 0 if there is none.
func (t *tx) newerThan(r *pushRow) (push.ID, error) {
	row := t.room.row[:1]
	_, err := t.room.newer.Row(row, r.ep, r.collapse, int64(r.id))
	return push.ID(direct.Int(row[0])), err
}

// droppable calls f for the waiting pushes of an endpoint in one place of its queue, the oldest first, until it returns false.
func (t *tx) droppable(ep int64, place push.Priority, f func(sized) bool) error {
	row := t.room.row[:]
	return t.room.droppable.Each(row, func() error {
		if direct.Int(row[2]) != 0 && !f(sized{push.ID(direct.Int(row[0])), direct.Int(row[1])}) {
			return io.EOF
		}
		return nil
	}, ep, int64(place), push.ResyncKey)
}
