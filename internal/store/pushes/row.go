package pushes

import (
	"database/sql/driver"
	"encoding/json"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/store/direct"
)

// Row is what a change of state needs to know of a push.
type Row struct {
	ID       push.ID
	Ep       int64
	Key      endpoint.Key
	Ack      push.Ack
	Prio     push.Priority
	Lasts    bool    // its TTL is not 0
	Size     int64   // of its payload, as far as it is kept
	Fanout   push.ID // that it is a target of; 0: none
	Collapse string  // its collapse key; empty: none

	// What changes.
	State   push.State
	History []byte
	Ended   int64           // 0 as long as it is not final
	Result  json.RawMessage // that came in this transaction: nothing follows a state that has a result, so it replaces none
	Place   int64           // that it has in the queue of its endpoint
	Touched bool            // it has to be written
	Kept    bool            // it was not final when it was read
}

// Find returns a push, or nil.
func (s *Statements) Find(id push.ID) (*Row, error) {
	found, err := s.push.find.Row(s.push.found[:], int64(id))
	if err != nil || !found {
		return nil, err
	}
	return rowOf(&s.push.found)
}

// FindAll calls f with each of many pushes, whose ids come as a JSON array.
func (s *Statements) FindAll(ids string, f func(*Row)) error {
	return s.push.findAll.Each(s.push.found[:], func() error {
		r, err := rowOf(&s.push.found)
		if err == nil {
			f(r)
		}
		return err
	}, ids)
}

// rowOf reads the columns of selectRow.
func rowOf(row *[findColumns]driver.Value) (*Row, error) {
	state, err := StateOf(direct.Int(row[4]))
	if err != nil {
		return nil, err
	}
	r := &Row{
		ID: push.ID(direct.Int(row[0])), Ep: direct.Int(row[1]), Key: endpoint.Key{Domain: direct.Text(row[2]), ID: direct.Text(row[3])}, State: state, Ack: push.Ack(direct.Int(row[5])),
		Prio: push.Priority(direct.Int(row[6])), Lasts: direct.Int(row[7]) != 0, Size: direct.Int(row[8]), Fanout: push.ID(direct.Int(row[9])), History: direct.Bytes(row[10]),
		Collapse: direct.Text(row[11]), Place: direct.Int(row[12]),
	}
	r.Kept = !push.Final(r.State, r.Ack)
	return r, nil
}

// Update writes what changes of a push.
func (s *Statements) Update(r *Row) error {
	var text driver.Value
	if r.Result != nil {
		text = string(r.Result)
	}
	place := PlaceOf(r.State, r.Ack, r.Prio)
	if err := s.move(r.Ep, r.ID, r.Place, place); err != nil {
		return err
	}
	r.Place = place
	return s.push.update.Run(StateCode(r.State), place, r.Ended, r.History, text, int64(r.ID))
}

// DeleteBody deletes the payload of a push.
func (s *Statements) DeleteBody(id push.ID) error { return s.push.deleteBody.Run(int64(id)) }
