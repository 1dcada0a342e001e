package pushes

import (
	"database/sql/driver"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/endpoints"
)

// Values of fanout.late.
const (
	lateOpen      = 1
	lateClosed    = 2 // it has expired
	lateCancelled = 3 // and none of its targets is sent again
)

type lateStmts struct {
	count, open, over, close *direct.Stmt
	cancel, cancelled        *direct.Stmt
	joined, looked           *direct.Stmt
	met, body                *direct.Stmt
	due, placed, release     *direct.Stmt

	joiner [6]driver.Value
}

const (
	queryLateOpen = selectFanout + " WHERE late = 1 AND expires > ?"
	queryLateOver = "SELECT id FROM fanout WHERE late = 1 AND expires <= ? LIMIT ?"
	queryMet      = "SELECT p.fanout FROM queue q CROSS JOIN push p ON p.id = q.id WHERE q.ep = ?1 AND +p.fanout IS NOT NULL UNION ALL SELECT fanout FROM refused WHERE subject = ?2"
	queryDue      = "SELECT p.id, e.domain, e.id FROM push p INDEXED BY push_due CROSS JOIN endpoint e ON e.num = p.ep" +
		" WHERE p.not_before <= ?1 AND p.place = 3 AND p.state = 0 ORDER BY p.not_before LIMIT ?2"
	queryAnyDue  = "SELECT 1 FROM push INDEXED BY push_due WHERE not_before <= ?1 AND place = 3 AND state = 0 LIMIT 1"
	queryAnyLate = "SELECT 1 WHERE EXISTS (SELECT 1 FROM joined) OR EXISTS (SELECT 1 FROM fanout WHERE late = 1 AND expires <= ?1)"
)

func newLateStmts(p *direct.Preparer) lateStmts {
	return lateStmts{
		count:     p.Prepare("SELECT count(*) FROM fanout WHERE late = 1"),
		open:      p.Prepare(queryLateOpen),
		over:      p.Prepare(queryLateOver),
		close:     p.Prepare("UPDATE fanout SET late = 2 WHERE id = ? AND late = 1"),
		cancel:    p.Prepare("UPDATE fanout SET late = 3 WHERE id = ?"),
		cancelled: p.Prepare("SELECT 1 FROM fanout WHERE id = ? AND late = 3"),
		joined:    p.Prepare("SELECT j.ep, e.domain, e.id, e.labels, e.groups FROM joined j LEFT JOIN endpoint e ON e.num = j.ep ORDER BY j.ep LIMIT ?"),
		looked:    p.Prepare("DELETE FROM joined WHERE ep = ?"),
		met:       p.Prepare(queryMet),
		body:      p.Prepare("SELECT body FROM push_body WHERE id = ?"),
		due:       p.Prepare(queryDue),
		placed:    p.Prepare("SELECT ep, place, priority FROM push WHERE id = ?"),
		release:   p.Prepare("UPDATE push SET place = priority WHERE id = ?"),
	}
}

// CountLate returns how many pushes to many take late joiners.
func (s *Statements) CountLate() (int64, error) {
	_, err := s.late.count.Row(s.row2[:1])
	return direct.Int(s.row2[0]), err
}

// LateFanouts returns the fan-outs that take late joiners at a time.
func (s *Statements) LateFanouts(now int64) (all []push.Fanout, err error) {
	row := s.fanout.row[:]
	err = s.late.open.Each(row, func() error {
		f, err := fanoutOf(row)
		all = append(all, f)
		return err
	}, now)
	return all, err
}

// LateOver returns up to limit fan-outs that take late joiners though they have expired.
func (s *Statements) LateOver(now int64, limit int) (ids []push.ID, err error) {
	err = s.late.over.Each(s.row2[:1], func() error {
		ids = append(ids, push.ID(direct.Int(s.row2[0])))
		return nil
	}, now, int64(limit))
	return ids, err
}

// CloseLate ends the late joining of a push to many that has expired.
func (s *Statements) CloseLate(id push.ID) error { return s.late.close.Run(int64(id)) }

// CancelFanout ends the late joining of a push to many, and has Cancelled say that it was cancelled.
func (s *Statements) CancelFanout(id push.ID) error { return s.late.cancel.Run(int64(id)) }

// Looked notes that an endpoint was looked at.
func (s *Statements) Looked(ep int64) error { return s.late.looked.Run(ep) }

// Release lets a push wait in the queue of its endpoint.
func (s *Statements) Release(id push.ID) error {
	row := s.late.joiner[:3]
	found, err := s.late.placed.Row(row, int64(id))
	if err != nil || !found {
		return err
	}
	if err := s.move(direct.Int(row[0]), id, direct.Int(row[1]), direct.Int(row[2])); err != nil {
		return err
	}
	return s.late.release.Run(int64(id))
}

// Cancelled reports whether a fan-out was cancelled.
func (s *Statements) Cancelled(id push.ID) (bool, error) {
	return s.late.cancelled.Row(s.row2[:1], int64(id))
}

// Joiner is an endpoint whose labels or groups have changed. Without an id it was deleted.
type Joiner struct {
	Num    int64
	Key    endpoint.Key
	Labels map[string]string
	Groups []string
}

// Joiners returns up to limit endpoints that have to be looked at.
func (s *Statements) Joiners(limit int) (all []Joiner, err error) {
	row := s.late.joiner[:5]
	err = s.late.joined.Each(row, func() error {
		j := Joiner{Num: direct.Int(row[0]), Key: endpoint.Key{Domain: direct.Text(row[1]), ID: direct.Text(row[2])}}
		if j.Key.ID != "" {
			var err error
			if j.Labels, j.Groups, err = endpoints.DecodeSets(direct.Text(row[3]), direct.Text(row[4])); err != nil {
				return err
			}
		}
		all = append(all, j)
		return nil
	}, int64(limit))
	return all, err
}

// Met returns the fan-outs of which an endpoint was a target, taken or refused: all at once, since an endpoint may have thousands of pushes.
func (s *Statements) Met(j *Joiner) (map[push.ID]bool, error) {
	if err := s.fileOf(j.Num); err != nil {
		return nil, err
	}
	all := map[push.ID]bool{}
	err := s.late.met.Each(s.row2[:1], func() error {
		all[push.ID(direct.Int(s.row2[0]))] = true
		return nil
	}, j.Num, j.Key.ID)
	return all, err
}

// Due returns up to limit pushes that waited for their time until now, with their endpoints.
func (s *Statements) Due(now int64, limit int) (ids []push.ID, keys []endpoint.Key, err error) {
	row := s.late.joiner[:3]
	err = s.late.due.Each(row, func() error {
		ids = append(ids, push.ID(direct.Int(row[0])))
		keys = append(keys, endpoint.Key{Domain: direct.Text(row[1]), ID: direct.Text(row[2])})
		return nil
	}, now, int64(limit))
	return ids, keys, err
}

// BodyOf returns the payload of a fan-out as far as it is kept.
func (s *Statements) BodyOf(fanout push.ID) ([]byte, error) {
	s.row2[0] = nil
	if _, err := s.late.body.Row(s.row2[:1], int64(fanout)); err != nil {
		return nil, err
	}
	return direct.Bytes(s.row2[0]), nil
}
