package remote

import (
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
	"signalbox/internal/turnsession"
)

// live is a session that is open, or ended a short while ago.
type live struct {
	service *Service
	id      ID
	key     endpoint.Key
	who     person
	queue

	shown struct {
		mu      sync.Mutex // a leaf
		record  Session    // as of the last task; zero: none is done yet
		due     time.Time  // when look has something to do; zero: never
		looking bool       // it is about to
		watcher string     // name of the technician who is attached; empty: none is
	}

	// Of the task that runs.
	record   Session
	away     time.Time        // since when the endpoint is; zero: it is there
	ask      bool             // the endpoint logged in anew, and has not said since that the session goes on
	answerBy time.Time        // when the endpoint, or the user whom it asks, must have answered
	consents int              // messages about consent since the endpoint was asked
	tech     *Technician      // nil: none is attached
	left     time.Time        // since when the technician is away; zero: attached, or was never
	acted    time.Time        // when the technician last did something
	told     signalling.State // of the technician who is attached, without what is for one use
	peer     int              // number of the newest PeerConnection that was offered, or that the endpoint knows of
	rung     string           // as the endpoint reported it last; the record may be behind
	noted    time.Time        // when a rung was last written
	relays   allowance        // legs that the technician asked for
	attaches allowance
	renewAt  time.Time      // when both need new credentials for TURN, or its session is to be opened again; zero: never
	kept     turnsession.ID // Session.Turn as it was last given to the store
	unsaved  []saving
	retry    time.Time // when these are written again
}

// saving is a state of the record that the store has not taken yet.
type saving struct {
	record Session
	entry  *audit.Entry
	event  bool
}

func newLive(s *Service, record Session) *live {
	l := &live{
		service: s, id: record.ID, key: endpoint.Key{Domain: record.Domain, ID: record.Endpoint}, who: person{record.Domain, record.Technician.ID},
		record: record, rung: record.Rung, kept: record.Turn,
	}
	l.queue = queue{workers: &s.workers, after: l.show}
	return l
}

// show lets others see the session as it is after a task.
func (l *live) show() {
	due := l.next()
	l.shown.mu.Lock()
	defer l.shown.mu.Unlock()
	l.shown.record, l.shown.due = l.record, due
}

// now returns the record as of the last task.
func (l *live) now() Session {
	l.shown.mu.Lock()
	defer l.shown.mu.Unlock()
	return l.shown.record
}

// lookAt has look called if something is due. It does not block.
func (l *live) lookAt(now time.Time) {
	l.shown.mu.Lock()
	due := !l.shown.due.IsZero() && !now.Before(l.shown.due) && !l.shown.looking
	l.shown.looking = l.shown.looking || due
	l.shown.mu.Unlock()
	if due {
		l.post(func() {
			l.shown.mu.Lock()
			l.shown.looking = false
			l.shown.mu.Unlock()
			l.look(time.Now())
		})
	}
}

// state is what the facts make of the session.
func (l *live) state() State {
	r := &l.record
	switch {
	case !r.Ended.IsZero():
		return Ended
	case r.Accepted.IsZero() && r.Consent != "" && r.Consent != signalling.ConsentNotNeeded:
		return Waiting // also for the moment between the answer and what comes of it
	case r.Accepted.IsZero():
		return Requested
	case !l.away.IsZero() || !l.left.IsZero():
		return Reconnecting
	case r.Active.IsZero():
		return Connecting
	}
	return Active
}

// asking reports whether the endpoint's user is asked and has not answered.
func (l *live) asking() bool {
	return l.record.Accepted.IsZero() && l.record.Consent == signalling.ConsentAsking
}

// open returns nil, or *EndedError.
func (l *live) open() error {
	if l.record.Open() {
		return nil
	}
	return &EndedError{l.record.Reason, l.record.Detail}
}

// commit brings the state in line with the facts, writes the record, and tells the technician. What the store does not take is written later, in order; the error is for who
// wants to know of that.
func (l *live) commit(entry *audit.Entry, event bool) error {
	before := l.record.State
	l.record.State = l.state()
	if entry == nil {
		entry, event = l.moved(before)
	}
	if entry == nil && before == l.record.State && l.kept == l.record.Turn {
		return nil
	}
	l.kept = l.record.Turn
	err := l.save(entry, event)
	if err != nil {
		l.unsaved, l.retry = append(l.unsaved, saving{l.record, entry, event}), time.Now().Add(retryEvery)
	}
	l.tellState()
	return err
}

// moved returns the entry and event of a party that was lost or came back; nil: it is neither.
func (l *live) moved(before State) (entry *audit.Entry, event bool) {
	now := l.record.State
	var e audit.Entry
	switch {
	case now == before || before == Ended || now == Ended:
		return nil, false
	case now == Reconnecting:
		e = l.entry(audit.Server, audit.SessionLost, lostDetail{Endpoint: !l.away.IsZero(), Technician: !l.left.IsZero()})
	case before == Reconnecting:
		e = l.entry(audit.Server, audit.SessionReturned, nil)
	default:
		return nil, false
	}
	return &e, true
}

// note is commit where nobody wants to know.
func (l *live) note(entry *audit.Entry, event bool) { l.warn(l.commit(entry, event)) }

// save writes the record as it is, behind what the store has not taken yet. Nothing is kept of what it refuses.
func (l *live) save(entry *audit.Entry, event bool) error {
	if err := l.flush(); err != nil {
		return err
	}
	return l.write(saving{l.record, entry, event})
}

// flush writes what the store has not taken yet.
func (l *live) flush() error {
	if len(l.unsaved) > 0 && time.Now().Before(l.retry) {
		return errBehind
	}
	for len(l.unsaved) > 0 {
		if err := l.write(l.unsaved[0]); err != nil {
			l.retry = time.Now().Add(retryEvery)
			return err
		}
		l.unsaved = l.unsaved[1:]
	}
	return nil
}

// write writes one. A session that was never kept, because it could not be opened, has no end to note.
func (l *live) write(one saving) error {
	ctx, cancel := patiently()
	defer cancel()
	err := l.service.deps.Store.SaveRemoteSession(ctx, one.record, one.entry, one.event)
	if errors.Is(err, ErrUnknown) && !one.record.Open() {
		return nil
	}
	return err
}

// errBehind says that the store has failed a moment ago.
var errBehind = errors.New("earlier changes of the session are not stored yet")

func (l *live) warn(err error) {
	if err != nil {
		l.service.log.Warn("a change of a remote session is not stored yet; that is tried again until it can be", telemetry.RemoteSession(l.id.String()), telemetry.Cause(err))
	}
}

// tell puts a message into the endpoint's queue. What is lost because the endpoint is away is said again when it is back: its session is offered again, and the technician makes
// another PeerConnection.
func (l *live) tell(m signalling.Message) error {
	err := l.service.deps.Endpoints.Tell(l.key, m)
	if err != nil {
		l.service.drop(droppedAway)
	}
	return err
}

// say gives the technician a message, if one is attached. One who does not take it is let go.
func (l *live) say(m signalling.Message) {
	if l.tech != nil && !l.tech.send(m) {
		l.letGo(LetGoSlow)
		l.post(func() { l.note(nil, false) })
	}
}

// about begins a message.
func (l *live) about() signalling.About { return signalling.About{ID: l.id.String()} }

// tellState tells the technician how the session is, where that is news.
func (l *live) tellState() {
	if l.tech == nil || !l.record.Open() {
		return
	}
	m := l.stateMessage()
	l.told.Peer = m.Peer // the technician's own doing, and no news
	if !reflect.DeepEqual(m, l.told) {
		l.told = m
		l.say(m)
	}
}

// maxWatchers bounds the names in one message.
const maxWatchers = 16

func (l *live) stateMessage() signalling.State {
	r := &l.record
	m := signalling.State{
		About: l.about(), State: string(l.state()), Reason: r.Reason, Detail: r.Detail, Endpoint: r.Endpoint, Technician: r.Technician.Name, Kinds: r.Kinds, Permissions: r.Permissions,
		Transport: r.Transport, Consent: r.Consent, Desktop: r.Desktop, Expires: r.Expires, Watchers: l.service.watchers(l.key), Peer: l.peer,
	}
	switch {
	case l.asking():
		at := l.answerBy.Add(-answerGrace)
		m.ConsentEnds = &at
	case l.state() == Reconnecting:
		at := earliest(l.away, l.left).Add(signalling.ReturnWithin)
		m.Returns = &at
	}
	return m
}

// earliest returns the earlier of two times that is not zero.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// watching notes who is attached, and tells the technicians of other sessions with the same endpoint.
func (l *live) watching(name string) {
	l.shown.mu.Lock()
	changed := l.shown.watcher != name
	l.shown.watcher = name
	l.shown.mu.Unlock()
	if !changed {
		return
	}
	for _, other := range l.service.of(l.key) {
		if other != l {
			other.post(other.tellState)
		}
	}
}

// watchers returns the names of the technicians who are attached to sessions with an endpoint, each once.
func (s *Service) watchers(k endpoint.Key) []string {
	names := []string{}
	for _, l := range s.of(k) {
		l.shown.mu.Lock()
		name := l.shown.watcher
		l.shown.mu.Unlock()
		if name != "" && !slices.Contains(names, name) && len(names) < maxWatchers {
			names = append(names, name)
		}
	}
	return names
}
