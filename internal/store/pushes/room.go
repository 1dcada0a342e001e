package pushes

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

	queryDroppable = "SELECT p.id, p.size, p.expires > p.created AND p.collapse IS NOT ?3 FROM queue q CROSS JOIN push p ON p.id = q.id WHERE q.ep = ?1 AND q.place = ?2 ORDER BY q.id"
)

func newRoomStmts(p *direct.Preparer) roomStmts {
	return roomStmts{older: p.Prepare(queryOlder), newer: p.Prepare(queryNewer), droppable: p.Prepare(queryDroppable), open: p.Prepare(queryOpenOfKey)}
}

// Sized is a push with the size of its kept payload.
type Sized struct {
	ID   push.ID
	Size int64
}

// Older returns the waiting pushes of an endpoint with a collapse key.
func (s *Statements) Older(ep int64, key string) (found []Sized, err error) {
	row := s.room.row[:2]
	err = s.room.older.Each(row, func() error {
		found = append(found, Sized{push.ID(direct.Int(row[0])), direct.Int(row[1])})
		return nil
	}, ep, key)
	return found, err
}

// OpenOf counts the pushes of an endpoint with a collapse key that are not final.
func (s *Statements) OpenOf(ep int64, key string) (int64, error) {
	row := s.room.row[:1]
	_, err := s.room.open.Row(row, ep, key)
	return direct.Int(row[0]), err
}

// NewerThan returns the newest push behind r with its collapse key that waits or was sent, 0 if there is none.
func (s *Statements) NewerThan(r *Row) (push.ID, error) {
	row := s.room.row[:1]
	_, err := s.room.newer.Row(row, r.Ep, r.Collapse, int64(r.ID))
	return push.ID(direct.Int(row[0])), err
}

// Droppable calls f for the waiting pushes of an endpoint in one place of its queue, the oldest first, until it returns false.
func (s *Statements) Droppable(ep int64, place push.Priority, f func(Sized) bool) error {
	if err := s.fileOf(ep); err != nil {
		return err
	}
	row := s.room.row[:]
	return s.room.droppable.Each(row, func() error {
		if direct.Int(row[2]) != 0 && !f(Sized{push.ID(direct.Int(row[0])), direct.Int(row[1])}) {
			return io.EOF
		}
		return nil
	}, ep, int64(place), push.ResyncKey)
}
