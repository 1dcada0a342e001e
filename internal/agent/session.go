package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/login"
	"signalbox/internal/agent/path"
	"signalbox/xmpp/scan"
)

// Bounds of a session.
const (
	maxOutbound  = 4 << 20          // bytes that wait for the writer
	writeChunk   = 16 << 10         // bytes that are written at once
	writeTimeout = 30 * time.Second // for each of them
	closeTimeout = 5 * time.Second  // for the server's closing tag
	startTimeout = 30 * time.Second // until stream management is on
	maxHeld      = 64               // pushes that wait for room in the backlog; a server has 32 on the way unless it is told otherwise
)

// Reasons why a session ends by itself.
var (
	errSilent     = errors.New("the server did not answer in time")
	errConnection = errors.New("the connection was lost")
	errClosed     = errors.New("the server closed the stream")
	errStuck      = errors.New("the server does not take what is sent to it")
	errBadAck     = errors.New("the server acknowledged stanzas that were never sent")
	errManagement = errors.New("the server refused stream management")
	errProtocol   = errors.New("the server broke the protocol")
	errOverrun    = errors.New("more pushes came than there is room for")
)

// session is one bound stream from its first to its last byte.
type session struct {
	// Set at construction.
	agent     *Agent
	stream    login.Stream
	route     path.Route
	domain    string
	keepalive time.Duration
	log       *zap.Logger
	wake      chan struct{} // the writer has something to do
	dead      chan struct{} // closed by end
	doubts    chan struct{} // somebody thinks that the server is lost

	signals atomic.Uint64 // messages about remote sessions that were sent

	// Owned by the reader.
	enabled bool   // stream management is on: stanzas count
	handled uint32 // stanzas received since then

	// One push is taken in after the other, the journal included. intake is locked before everything else.
	intake sync.Mutex
	held   []inbound // pushes that found no room in the backlog, and those behind them

	mu      sync.Mutex
	out     []byte // waits for the writer
	sent    uint32 // stanzas put into out since <enable/>
	acked   uint32 // of those, how many the server has handled
	results results
	asked   bool  // a result waits in out: an <r/> goes behind it
	closing bool  // nothing more may be put into out
	cause   error // why the session ended
	silence silence
	resume  resumption
}

func newSession(a *Agent, st login.Stream, r path.Route, log *zap.Logger) *session {
	return &session{
		agent: a, stream: st, route: r, domain: a.login.JID.Domainpart(), keepalive: a.pulse.interval(r.Via()), log: log,
		wake: make(chan struct{}, 1), dead: make(chan struct{}), doubts: make(chan struct{}, 1),
	}
}

// run serves the session until the stream ends, and returns why. When ctx ends it closes the stream properly and returns nil.
func (s *session) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(s.write)
	wg.Go(s.keepAlive)
	wg.Go(s.settleDoubts)
	wg.Go(func() { s.closer(ctx) })
	starting := time.AfterFunc(startTimeout, func() { s.end(fmt.Errorf("enable stream management: %w", errSilent)) })
	s.end(s.begin(starting))
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return s.cause
}

// begin turns stream management on, or goes on with the session that was resumed, and reads until the stream ends.
func (s *session) begin(starting *time.Timer) error {
	defer starting.Stop()
	if s.stream.Resumed {
		starting.Stop()
		if err := s.agent.online(s); err != nil {
			return err
		}
	} else {
		s.nonza("<enable xmlns='" + nsManagement + "' resume='true'/>")
	}
	return s.read(starting)
}

// end has the connection closed; the first cause counts.
func (s *session) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked(cause)
}

func (s *session) endLocked(cause error) {
	select {
	case <-s.dead:
		return
	default:
	}
	s.cause, s.closing = cause, true
	s.silence.ended = s.stream.In.Clock()
	close(s.dead)
}

// closer closes the stream properly when ctx ends, and the connection at the end of the session. That can take a while, as TLS says goodbye,
// so nobody else does it, least of all with a lock held.
func (s *session) closer(ctx context.Context) {
	select {
	case <-ctx.Done():
		s.close()
		if s.sleep(closeTimeout) {
			s.end(errSilent)
		}
	case <-s.dead:
	}
	s.stream.Conn.Close()
}

// read handles what comes until the stream ends. It stops the timer once the session can be used.
func (s *session) read(starting *time.Timer) error {
	for {
		ev, err := s.stream.In.Next()
		if err != nil {
			return unread(err)
		}
		switch ev.Kind {
		case scan.StreamClose:
			s.close()
			return errClosed
		case scan.StreamOpen:
			return fmt.Errorf("%w: a second stream header", errProtocol)
		case scan.TopLevel:
			if err := s.topLevel(&ev.Stanza, starting); err != nil {
				return err
			}
		}
	}
}

func (s *session) topLevel(st *scan.Stanza, starting *time.Timer) error {
	switch st.Kind {
	case scan.Message:
		if err := s.message(st); err != nil {
			return err
		}
	case scan.IQ:
		s.iq(st)
	case scan.Nonza:
		return s.nonzaFrom(st, starting)
	}
	if s.enabled {
		s.handled++ // only now: a push counts as handled once it is in the journal
	}
	return nil
}

// nonzaFrom handles what is no stanza: stream management and stream errors.
func (s *session) nonzaFrom(st *scan.Stanza, starting *time.Timer) error {
	switch {
	case st.Is(nsManagement, "r"):
		s.nonza(fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsManagement, s.handled))
	case st.Is(nsManagement, "a"):
		return s.ack(st)
	case st.Is(nsManagement, "enabled") && !s.enabled:
		starting.Stop()
		s.enabled = true
		s.mu.Lock()
		if s.sent == 0 { // what was sent before could not be sent again
			s.resume.allow(st.Element())
		}
		s.mu.Unlock()
		return s.agent.online(s)
	case st.Is(nsManagement, "failed"):
		return errManagement
	case st.Is(scan.NamespaceStreams, "error"):
		return login.ParseStreamError(st)
	}
	return nil
}

// unread tells a connection that was lost from a server that wrote what it must not.
func unread(err error) error {
	var foreign *scan.Error
	if errors.As(err, &foreign) {
		return fmt.Errorf("read: %w: %w", errProtocol, err)
	}
	return fmt.Errorf("read: %w: %w", errConnection, err)
}

// sleep returns false if the session ended before d was over.
func (s *session) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.dead:
		return false
	}
}
