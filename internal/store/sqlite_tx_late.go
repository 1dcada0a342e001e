package store

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
	due, release             *direct.Stmt

	joiner [6]driver.Value
}

const (
	queryLateOpen = selectFanout + " WHERE late = 1 AND expires > ?"
	queryLateOver = "SELECT id FROM fanout WHERE late = 1 AND expires <= ? LIMIT ?"
	queryMet      = "SELECT fanout FROM push WHERE ep = ?1 AND place IN (0, 1, 2, 3, 4) AND +fanout IS NOT NULL UNION ALL SELECT fanout FROM refused WHERE subject = ?2"
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
		release:   p.Prepare("UPDATE push SET place = priority WHERE id = ?"),
	}
}

func (t *tx) countLate() (int64, error) {
	_, err := t.late.count.Row(t.row2[:1])
	return direct.Int(t.row2[0]), err
}

// lateFanouts returns the fan-outs that take late joiners at a time.
func (t *tx) lateFanouts(now int64) (all []push.Fanout, err error) {
	row := t.fanout.row[:]
	err = t.late.open.Each(row, func() error {
		f, err := fanoutOf(row)
		all = append(all, f)
		return err
	}, now)
	return all, err
}

// lateOver returns up to limit fan-outs that take late joiners though they have expired.
func (t *tx) lateOver(now int64, limit int) (ids []push.ID, err error) {
	err = t.late.over.Each(t.row2[:1], func() error {
		ids = append(ids, push.ID(direct.Int(t.row2[0])))
		return nil
	}, now, int64(limit))
	return ids, err
}

// closeLate ends the late joining of a fan-out; its payload goes if no target needs it any more.
func (t *tx) closeLate(id push.ID) error {
	if err := t.late.close.Run(int64(id)); err != nil {
		return err
	}
	t.closeTargets(id, 0)
	return nil
}

// cancelFanout ends the late joining of a fan-out, and has cancelled end what comes back of it.
func (t *tx) cancelFanout(id push.ID) error {
	if err := t.late.cancel.Run(int64(id)); err != nil {
		return err
	}
	t.closeTargets(id, 0)
	return nil
}

// cancelled reports whether a fan-out was cancelled.
func (t *tx) cancelled(id push.ID) (bool, error) { return t.late.cancelled.Row(t.row2[:1], int64(id)) }

// joiner is an endpoint whose labels or groups have changed. Without an id it was deleted.
type joiner struct {
	num    int64
	key    endpoint.Key
	labels map[string]string
	groups []string
}

// joiners returns up to limit endpoints that have to be looked at.
func (t *tx) joiners(limit int) (all []joiner, err error) {
	row := t.late.joiner[:5]
	err = t.late.joined.Each(row, func() error {
		j := joiner{num: direct.Int(row[0]), key: endpoint.Key{Domain: direct.Text(row[1]), ID: direct.Text(row[2])}}
		if j.key.ID != "" {
			var err error
			if j.labels, j.groups, err = endpoints.DecodeSets(direct.Text(row[3]), direct.Text(row[4])); err != nil {
				return err
			}
		}
		all = append(all, j)
		return nil
	}, int64(limit))
	return all, err
}

// met returns the fan-outs of which an endpoint was a target, taken or refused: all at once, since an endpoint may have thousands of pushes.
func (t *tx) met(j *joiner) (map[push.ID]bool, error) {
	all := map[push.ID]bool{}
	err := t.late.met.Each(t.row2[:1], func() error {
		all[push.ID(direct.Int(t.row2[0]))] = true
		return nil
	}, j.num, j.key.ID)
	return all, err
}

// due returns up to limit pushes that waited for their time until now, with their endpoints.
func (t *tx) due(now int64, limit int) (ids []push.ID, keys []endpoint.Key, err error) {
	row := t.late.joiner[:3]
	err = t.late.due.Each(row, func() error {
		ids = append(ids, push.ID(direct.Int(row[0])))
		keys = append(keys, endpoint.Key{Domain: direct.Text(row[1]), ID: direct.Text(row[2])})
		return nil
	}, now, int64(limit))
	return ids, keys, err
}

// bodyOf returns the payload of a fan-out as far as it is kept.
func (t *tx) bodyOf(fanout push.ID) ([]byte, error) {
	t.row2[0] = nil
	if _, err := t.late.body.Row(t.row2[:1], int64(fanout)); err != nil {
		return nil, err
	}
	return direct.Bytes(t.row2[0]), nil
}
