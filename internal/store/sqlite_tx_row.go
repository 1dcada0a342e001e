package store

import (
	"database/sql/driver"
	"encoding/json"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

// pushRow is what a change of state needs to know of a push.
type pushRow struct {
	id     push.ID
	ep     int64
	key    endpoint.Key
	ack    push.Ack
	prio   push.Priority
	lasts  bool    // its TTL is not 0
	size   int64   // of its payload, as far as it is kept
	fanout push.ID // that it is a target of; 0: none

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
	row := t.push.found[:]
	found, err := t.push.find.Row(row, int64(id))
	if err != nil || !found {
		return nil, err
	}
	r := &pushRow{
		id: id, ep: intOf(row[0]), key: endpoint.Key{Domain: textOf(row[1]), ID: textOf(row[2])}, ack: push.Ack(intOf(row[4])), prio: push.Priority(intOf(row[5])),
		lasts: intOf(row[6]) != 0, size: intOf(row[7]), fanout: push.ID(intOf(row[8])), history: bytesOf(row[9]),
	}
	if r.state, err = stateOf(intOf(row[3])); err != nil {
		return nil, err
	}
	r.kept = !push.Final(r.state, r.ack)
	t.rows[id] = r
	return r, nil
}

// touch notes that a push has changed.
func (t *tx) touch(r *pushRow) {
	if !r.touched {
		r.touched = true
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
