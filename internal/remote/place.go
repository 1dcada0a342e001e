package remote

import (
	"errors"
	"slices"

	"signalbox/internal/telemetry"
	"signalbox/internal/turnsession"
)

// MaxTURNBefore bounds Session.TurnBefore: of a session that has had more places on the TURN server before, the newest are kept.
const MaxTURNBefore = 16

// Place is what a session's place on the TURN server came to. Stored: a name never changes its meaning.
type Place struct {
	Turn     turnsession.ID        `json:"turn"`
	Counters *turnsession.Counters `json:"counters,omitempty"` // as the TURN server said last; nil: it never did, or that could not be read yet
}

// leaveTURN has the session go on without its place on the TURN server, which has ended, and keeps what that came to: its record may be deleted before the session ends.
func (l *live) leaveTURN() {
	if l.record.Turn == 0 {
		return
	}
	before := append(slices.Clone(l.record.TurnBefore), l.cameTo(l.record.Turn)) // others read the list that was shown
	l.record.Turn, l.record.TurnBefore = 0, before[max(0, len(before)-MaxTURNBefore):]
}

// cameTo ends a place on the TURN server, if it has not ended before, and returns what it came to. A server on another host that does not answer holds up this session by a few
// seconds, and no other.
func (l *live) cameTo(turn turnsession.ID) Place {
	ctx, cancel := patiently()
	defer cancel()
	place := Place{Turn: turn}
	ended, err := l.service.deps.TURN.Silence(ctx, l.key.Domain, turn)
	switch {
	case err == nil && !ended.Counted.IsZero():
		place.Counters = &ended.Counters
	case err != nil && !errors.Is(err, turnsession.ErrUnknown): // what is unknown is not served, and has no record
		l.service.log.Warn("a TURN session of a remote session may go on, and what it moved is not known", telemetry.RemoteSession(l.id.String()), telemetry.TURNSession(turn.String()),
			telemetry.Cause(err))
	}
	return place
}

// turnDetail is a Place in the audit.
type turnDetail struct {
	Session  string                `json:"session"` // id
	Counters *turnsession.Counters `json:"counters,omitempty"`
}

func (p Place) detail() *turnDetail { return &turnDetail{p.Turn.String(), p.Counters} }

// endTURN ends the session's place on the TURN server, and returns what it came to; nil: there is none.
func (l *live) endTURN() *turnDetail {
	if l.record.Turn == 0 {
		return nil
	}
	return l.cameTo(l.record.Turn).detail()
}

// turnBefore returns what the places came to that the session had before, the oldest first. Counters that could not be read when it left one are asked for again.
func (l *live) turnBefore() (all []*turnDetail) {
	before := slices.Clone(l.record.TurnBefore)
	for i := range before {
		if before[i].Counters == nil {
			before[i] = l.cameTo(before[i].Turn)
		}
		all = append(all, before[i].detail())
	}
	l.record.TurnBefore = before
	return all
}
