package store

import (
	"signalbox/internal/endpoint"
	"signalbox/internal/store/direct"
	"signalbox/internal/store/pushes"
)

// maxKnown bounds of how many endpoints is remembered what decides about their pushes, about 100 bytes each.
const maxKnown = 50_000

// queryOtherWork gives another number when another connection has committed.
const queryOtherWork = "PRAGMA data_version"

// known returns what decides whether an endpoint takes a push, for the caller to count what it adds. It is remembered over transactions as long as nothing but
// accepted pushes happens to the endpoint: reading it is half of what accepting a push costs otherwise.
func (t *tx) known(k endpoint.Key) (*pushes.Candidate, error) {
	if c := t.candidatesKnown[k]; c != nil {
		return c, nil
	}
	c, err := t.push.Candidate(k)
	if err != nil || c.Num == 0 {
		return &c, err
	}
	if len(t.candidatesKnown) >= maxKnown {
		clear(t.candidatesKnown)
	}
	t.candidatesKnown[k] = &c
	return &c, nil
}

// checkOtherWork forgets what is known of endpoints if another process has written.
func (t *tx) checkOtherWork() error {
	if _, err := t.control.otherWork.Row(t.row2[:1]); err != nil {
		return err
	}
	if version := direct.Int(t.row2[0]); version != t.dataVersion {
		t.dataVersion = version
		clear(t.candidatesKnown)
	}
	return nil
}

// settle writes the pushes that have changed before another operation reads or changes them, and forgets of endpoints what it may change.
func (t *tx) settle(next operation) error {
	switch next.(type) {
	case *advancePushes, *savePresence, *tellPresences, *saveTrouble:
		return nil
	case *acceptPush:
	default:
		clear(t.candidatesKnown)
	}
	return t.writeRows()
}
