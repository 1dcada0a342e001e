package remote

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/channel"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

const (
	maxBox   = 128         // messages and the like that wait to be handled
	tickEach = time.Second // how often limits and the way are looked at
)

// ending is why a session ends.
type ending struct {
	reason, detail string
	said           bool // the server knows already
	deny           bool // it never began
}

// session is one remote session: a goroutine that handles one thing after the other, and those that serve channels.
type session struct {
	// Set at construction.
	manager *Manager
	grant   signalling.Grant
	limits  atomic.Pointer[signalling.Grant] // the newest grant, of which only Expires, Idle and MaxBytes count beside the first
	kinds   []string                         // of the grant, those that this endpoint has and allows
	began   time.Time
	log     *zap.Logger
	life    context.Context
	cancel  context.CancelFunc
	box     chan func()
	once    sync.Once
	end     ending // set before life ends

	accepted atomic.Bool
	legs     atomic.Int32 // connections to the relay that are being made
	meter    meter
	work     tasks // channels, legs, questions, peers that close

	// Owned by run.
	servers []signalling.ICEServer
	peer    *peer.Peer  // nil: none
	number  int         // of the last peer
	peers   []time.Time // when the last ones were made
	told    report
	seen    time.Time // when the technician was last reached
	doubted time.Time // when the server was last asked for a sign of life because of the relay
	hide    func()    // of the notice to the user; nil: there is none

	served served
}

func newSession(m *Manager, g signalling.Grant, kinds []string, servers []signalling.ICEServer) *session {
	now := time.Now()
	s := &session{manager: m, grant: g, kinds: kinds, began: now, seen: now, log: m.log.With(telemetry.RemoteSession(g.ID)), box: make(chan func(), maxBox), servers: servers}
	s.limits.Store(&g)
	s.life, s.cancel = context.WithCancel(m.life)
	s.meter.touch(now)
	s.served.instances, s.served.legs = map[string]*instance{}, map[channel.Conn]bool{}
	return s
}

func (s *session) about() signalling.About { return signalling.About{ID: s.grant.ID} }

func (s *session) say(m signalling.Message) { s.manager.say(m) }

// put has f run by the session, and returns false where too much waits already. It does not block.
func (s *session) put(f func()) bool {
	select {
	case s.box <- f:
		return true
	case <-s.life.Done():
		return true // it is over: nobody minds
	default:
		return false
	}
}

// do has f run by the session, or not at all if that ends.
func (s *session) do(f func()) {
	select {
	case s.box <- f:
	case <-s.life.Done():
	}
}

// finish ends the session. The first ending counts.
func (s *session) finish(e ending) {
	s.once.Do(func() {
		s.end = e
		s.cancel()
	})
}

// run is the session from its grant to its end.
func (s *session) run() {
	expire := time.NewTimer(time.Until(s.grant.Expires))
	defer expire.Stop()
	tick := time.NewTicker(tickEach)
	defer tick.Stop()
	s.log.Info("remote session offered", telemetry.Detail(s.grant.Technician.Name+": "+strings.Join(s.kinds, ", ")))
	s.ask()
	for s.life.Err() == nil {
		select {
		case f := <-s.box:
			f()
		case now := <-tick.C:
			s.tick(now)
		case now := <-expire.C:
			if left := s.limits.Load().Expires.Sub(now); left > 0 { // it was lengthened
				expire.Reset(left)
				continue
			}
			s.finish(ending{reason: durationLimit, detail: "the session lasted as long as it may"})
		case <-s.life.Done():
		}
	}
	s.close()
}

// close tells the server and the user, and ends all that belongs to the session.
func (s *session) close() {
	s.log.Info("remote session ended", telemetry.Reason(s.end.reason), telemetry.Detail(s.end.detail), telemetry.Took(time.Since(s.began)))
	switch {
	case s.end.said:
	case s.end.deny:
		s.say(signalling.Deny{About: s.about(), Reason: s.end.reason, Detail: s.end.detail})
	default:
		if s.accepted.Load() {
			s.report(time.Now(), true) // the last counters
		}
		s.say(signalling.End{About: s.about(), Reason: s.end.reason, Detail: s.end.detail})
	}
	if s.hide != nil {
		s.hide()
	}
	s.dropPeer()
	s.work.wait()
	s.served.close()
	s.manager.left(s)
}

// accept lets the technician in.
func (s *session) accept() {
	s.accepted.Store(true)
	s.meter.touch(time.Now())
	s.say(signalling.Accept{About: s.about(), Capabilities: s.channels()})
	if s.grant.NotifyUser {
		s.hide = s.manager.o.Consent.Notify(Notice{
			Session: s.grant.ID, Technician: s.grant.Technician, Kinds: s.kinds, Expires: s.grant.Expires, End: func() { s.manager.End(s.grant.ID, "") },
		})
	}
}

// returned is what a login is for the session. What lost the server before has lost the relay, and nobody knows when TCP finds that out: the technician opens channels anew.
func (s *session) returned() {
	legs := s.served.interactive()
	s.work.Go(func() {
		for _, c := range legs {
			_ = c.Close() // the other side may be gone
		}
	})
	s.resume()
	for _, b := range s.served.refusals() { // the server may not have heard it
		s.say(b)
	}
}

// resume says that the session goes on.
func (s *session) resume() {
	if s.accepted.Load() {
		s.say(signalling.Accept{About: s.about(), Capabilities: s.channels(), Resumed: true, Peer: s.number})
	}
}

// take handles a message of the server.
func (s *session) take(m signalling.Message) {
	switch m := m.(type) {
	case signalling.ICE:
		s.servers = slices.Clone(m.Servers)
	case signalling.SDP:
		s.described(m)
	case signalling.Candidate:
		s.candidate(m)
	case signalling.Relay:
		s.relayed(m)
	case signalling.Restarted: // the technician offers, and restarts ICE where that is due
		s.log.Info("the TURN server was restarted: a connection over it is lost, and the technician looks for a way anew")
	case signalling.End:
		s.finish(ending{reason: m.Reason, detail: m.Detail, said: true})
	}
}

// offered takes the offer of a session that runs: the server has started anew, had lost this endpoint, or changed what limits the session.
func (s *session) offered(o signalling.Offer, g signalling.Grant) {
	s.limits.Store(&g)
	if !time.Now().Before(g.Expires) {
		s.finish(ending{reason: durationLimit, detail: "the session lasted as long as it may"})
		return
	}
	s.servers = slices.Clone(o.Servers)
	s.resume()
}

// tasks are goroutines that are waited for. Unlike a WaitGroup alone, none begins once that has begun.
type tasks struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// Go runs f, and returns false if it is too late for that.
func (t *tasks) Go(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Go(f)
	return true
}

func (t *tasks) wait() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.wg.Wait()
}
