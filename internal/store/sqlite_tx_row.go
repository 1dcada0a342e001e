package store

import (
	"database/sql/driver"
	"encoding/json"
	"strconv"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

// pushRow is what a change of state needs to know of a push.
type pushRow struct {
	id       push.ID
	ep       int64
	key      endpoint.Key
	ack      push.Ack
	prio     push.Priority
	lasts    bool    // its TTL is not 0
	size     int64   // of its payload, as far as it is kept
	fanout   push.ID // that it is a target of; 0: none
	collapse string  // its collapse key; empty: none

	// What changes.
	state   push.State
	history []byte
	ended   int64           // 0 as long as it is not final
	result  json.RawMessage // that came in this transaction: nothing follows a state that has a result, so it replaces none
	touched bool            // it has to be written
	kept    bool            // it was not final when it was read
}

// findPush returns a push, or nil. It is read once as long as changes of pushes are all that happens.
func (t *tx) findPush(id push.ID) (*pushRow, error) {
	if r := t.rows[id]; r != nil {
		return r, nil
	}
	found, err := t.push.find.Row(t.push.found[:], int64(id))
	if err != nil || !found {
		return nil, err
	}
	return t.keepRow()
}

// keepRow remembers the push whose columns stand in t.push.found.
func (t *tx) keepRow() (*pushRow, error) {
	row := &t.push.found
	state, err := stateOf(direct.Int(row[4]))
	if err != nil {
		return nil, err
	}
	r := &pushRow{
		id: push.ID(direct.Int(row[0])), ep: direct.Int(row[1]), key: endpoint.Key{Domain: direct.Text(row[2]), ID: direct.Text(row[3])}, state: state, ack: push.Ack(direct.Int(row[5])),
		prio: push.Priority(direct.Int(row[6])), lasts: direct.Int(row[7]) != 0, size: direct.Int(row[8]), fanout: push.ID(direct.Int(row[9])), history: direct.Bytes(row[10]),
		collapse: direct.Text(row[11]),
	}
	r.kept = !push.Final(r.state, r.ack)
	t.rows[r.id] = r
	return r, nil
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
	return t.push.findAll.Each(t.push.found[:], func() error {
		if t.rows[push.ID(direct.Int(t.push.found[0]))] != nil {
			return nil // it stands twice in the list
		}
		_, err := t.keepRow()
		return err
	}, string(list))
}

// touch notes that a push has changed.
func (t *tx) touch(r *pushRow) {
	if !r.touched {
		r.touched = true
		delete(t.candidatesKnown, r.key)
		t.touched = append(t.touched, r)
	}
}

// writeRows writes the pushes that have changed, and forgets all that were read: what comes next may change or delete them.
func (t *tx) writeRows() error {
	for _, r := range t.touched {
		if err := t.updatePush(r); err != nil {
			return err
		}
		if r.kept && r.ended != 0 {
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

func (t *tx) updatePush(r *pushRow) error {
	var text driver.Value
	if r.result != nil {
		text = string(r.result)
	}
	return t.push.update.Run(stateCode(r.state), placeOf(r.state, r.ack, r.prio), r.ended, r.history, text, int64(r.id))
}

// dropBody deletes the payload of a push that has become final; that of a fan-out with the last of its targets.
func (t *tx) dropBody(r *pushRow) error {
	switch {
	case r.fanout != 0:
		t.closeTargets(r.fanout, 1)
	case r.size > 0:
		return t.push.deleteBody.Run(int64(r.id))
	}
	return nil
}
