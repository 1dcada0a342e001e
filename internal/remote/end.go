package remote

import (
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/signalling"
)

// end ends the session, unless it has ended before: both relays and its parties first, so that all is silent whatever the store says. The error is that of the store, which gets
// the end later then.
func (l *live) end(reason Reason, detail, actor string) error {
	if !l.record.Open() {
		return nil
	}
	r := &l.record
	up, down := l.service.deps.Relay.Close(l.id.String())
	r.BytesUp, r.BytesDown = max(r.BytesUp, up), max(r.BytesDown, down)
	r.Reason, r.Detail, r.Ended = reason.Name, cut(detail), clock()
	if l.rung != "" {
		r.Rung = l.rung
	}
	end := signalling.End{About: l.about(), Reason: r.Reason, Detail: r.Detail}
	_ = l.tell(end) // an endpoint that is away hears of it when it speaks of the session again
	l.say(end)
	if l.tech != nil {
		l.letGo(reason.Name)
	}
	l.service.over(l)
	l.service.metrics.ended.WithLabelValues(reason.Name).Inc()
	entry := l.endedEntry(actor, endedDetail{
		Reason: r.Reason, Detail: r.Detail, Seconds: int64(r.Ended.Sub(r.Created).Seconds()), BytesUp: r.BytesUp, BytesDown: r.BytesDown, Path: r.Rung,
		TURN: l.endTURN(), TURNBefore: l.turnBefore(),
	})
	return l.commit(&entry, true)
}

// endedEntry makes the entry of the end. Where places on the TURN server make it longer than an entry may be, the oldest are left out: the end could not be stored otherwise.
func (l *live) endedEntry(actor string, d endedDetail) audit.Entry {
	entry := l.entry(actor, audit.SessionEnded, d)
	for len(entry.Detail) > audit.MaxDetail && len(d.TURNBefore) > 0 {
		d.TURNBefore = d.TURNBefore[1:]
		entry = l.entry(actor, audit.SessionEnded, d)
	}
	return entry
}

// endNoted is end where nobody wants to know.
func (l *live) endNoted(reason Reason, detail, actor string) { l.warn(l.end(reason, detail, actor)) }

const (
	retryEvery  = time.Second     // between two attempts to store what the store did not take
	rememberFor = 2 * time.Minute // why a session ended, for parties that come back
)

// limit is when a session ends unless something happens.
type limit struct {
	at     time.Time
	reason Reason
}

// limits returns those that there are now.
func (l *live) limits() []limit {
	r := &l.record
	all := append(make([]limit, 0, 5), limit{r.Expires, ReasonDurationLimit})
	if !l.away.IsZero() {
		all = append(all, limit{l.away.Add(signalling.ReturnWithin), ReasonEndpointLost})
	} else if r.Accepted.IsZero() {
		reason := ReasonNoAnswer
		if l.asking() {
			reason = ReasonConsentTimeout
		}
		all = append(all, limit{l.answerBy, reason})
	}
	if l.tech == nil {
		all = append(all, l.absence())
	}
	if !r.Accepted.IsZero() && r.MaxIdle > 0 {
		all = append(all, limit{l.acted.Add(r.MaxIdle), ReasonIdleLimit})
	}
	return all
}

// absence is how long the technician may be away: until the newest token is too old, at least.
func (l *live) absence() limit {
	token := l.record.Secrets.TokenExpires
	if l.left.IsZero() {
		return limit{token, ReasonTechnicianAbsent}
	}
	back := l.left.Add(signalling.ReturnWithin)
	if token.After(back) {
		back = token
	}
	return limit{back, ReasonTechnicianLost}
}

// first returns the limit that comes first.
func (l *live) first() limit {
	all := l.limits()
	first := all[0]
	for _, other := range all[1:] {
		if other.at.Before(first.at) {
			first = other
		}
	}
	return first
}

// next returns when look has something to do; zero: never.
func (l *live) next() time.Time {
	var at time.Time
	if len(l.unsaved) > 0 {
		at = l.retry
	}
	if !l.record.Open() {
		return earliest(at, l.record.Ended.Add(rememberFor))
	}
	at = earliest(at, earliest(l.renewAt, l.first().at))
	if l.rung != "" && l.rung != l.record.Rung {
		at = earliest(at, l.noted.Add(noteRung))
	}
	return at
}

// look does what is due.
func (l *live) look(now time.Time) {
	_ = l.flush() // said when it failed first
	if !l.record.Open() {
		if !now.Before(l.record.Ended.Add(rememberFor)) && len(l.unsaved) == 0 {
			l.service.forget(l)
		}
		return
	}
	if first := l.first(); !now.Before(first.at) {
		l.endNoted(first.reason, "", audit.Server)
		return
	}
	if !l.renewAt.IsZero() && !now.Before(l.renewAt) {
		l.renewICE()
	}
	l.noteRung(now)
}
