package store

import (
	"strconv"

	"signalbox/internal/push"
	"signalbox/internal/store/pushes"
)

// findPush returns a push, or nil. It is read once as long as changes of pushes are all that happens.
func (t *tx) findPush(id push.ID) (*pushes.Row, error) {
	if r := t.rows[id]; r != nil {
		return r, nil
	}
	r, err := t.push.Find(id)
	if r != nil {
		t.rows[id] = r
	}
	return r, err
}

// fewRows is the number of pushes up to which reading each by itself costs no more than reading them together.
const fewRows = 4

// readRows reads many pushes, n of them, by one statement.
func (t *tx) readRows(n int, id func(i int) push.ID) error {
	if n <= fewRows {
		return nil
	}
	list := append(make([]byte, 0, 20*n), '[')
	for i := range n {
		if t.rows[id(i)] == nil && (i == 0 || id(i) != id(i-1)) {
			list = append(strconv.AppendInt(list, int64(id(i)), 10), ',')
		}
	}
	if len(list) == 1 {
		return nil
	}
	list[len(list)-1] = ']'
	return t.push.FindAll(string(list), func(r *pushes.Row) {
		if t.rows[r.ID] == nil { // it may stand twice in the list
			t.rows[r.ID] = r
		}
	})
}

// touch notes that a push has changed.
func (t *tx) touch(r *pushes.Row) {
	if !r.Touched {
		r.Touched = true
		delete(t.candidatesKnown, r.Key)
		t.touched = append(t.touched, r)
	}
}

// writeRows writes the pushes that have changed, and forgets all that were read: what comes next may change or delete them.
func (t *tx) writeRows() error {
	for _, r := range t.touched {
		if err := t.push.Update(r); err != nil {
			return err
		}
		if r.Kept && r.Ended != 0 {
			if err := t.dropBody(r); err != nil {
				return err
			}
		}
	}
	t.forgetRows()
	return nil
}

func (t *tx) forgetRows() {
	clear(t.rows)
	clear(t.touched)
	t.touched = t.touched[:0]
}

// dropBody deletes the payload of a push that has become final; that of a fan-out with the last of its targets.
func (t *tx) dropBody(r *pushes.Row) error {
	switch {
	case r.Fanout != 0:
		t.closeTargets(r.Fanout, 1)
	case r.Size > 0:
		return t.push.DeleteBody(r.ID)
	}
	return nil
}

// closeTargets notes that so many targets of a fan-out need the payload no more. It is written once, at the end of the transaction, however many there are.
func (t *tx) closeTargets(fanout push.ID, n int64) { t.closed[fanout] += n }

// writeClosed writes what closeTargets noted.
func (t *tx) writeClosed() error {
	for id, n := range t.closed {
		if err := t.push.CloseTargets(id, n); err != nil {
			return err
		}
	}
	return nil
}

// deletePushesOf deletes up to limit pushes of an endpoint with their payloads and returns how many there were.
func (t *tx) deletePushesOf(num int64, limit int) (int64, error) {
	if err := t.push.OpenTargets(num, limit, t.closeTargets); err != nil {
		return 0, err
	}
	return t.push.DeleteOf(num, limit)
}

// insertTargets stores the targets of a chunk of a fan-out, each with its event.
func (t *tx) insertTargets(p *push.Push, first push.ID, taken []pushes.Candidate) error {
	seq := t.lastEvent + 1
	t.lastEvent += int64(len(taken))
	return t.push.InsertTargets(p, first, taken, seq)
}
