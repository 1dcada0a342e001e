package console

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	coder "github.com/coder/websocket"
)

// Times of a WebSocket.
const (
	pingEach    = 20 * time.Second
	pongWithin  = 10 * time.Second
	writeWithin = 10 * time.Second
)

// ending is why a WebSocket is closed; where RFC 6455 section 7.4.1 has no code, one of the range for applications.
type ending struct {
	code   coder.StatusCode
	reason string // short, for people who look into their browser; also the label of a metric, but for policy violations
}

var (
	endMalformed = ending{coder.StatusPolicyViolation, "malformed"}
	endTooBig    = ending{coder.StatusMessageTooBig, "too_big"}
	endRefused   = ending{4401, "refused"}
	endTryLater  = ending{coder.StatusTryAgainLater, "try_later"}
	endSignedOut = ending{4401, "signed_out"}
	endTooSlow   = ending{4408, "too_slow"}
	endSilent    = ending{4408, "nothing_attached"}
	endReplaced  = ending{4409, "replaced"}
	endOver      = ending{4410, "session_ended"}
	endTooMany   = ending{4429, "too_many"}
	endStopping  = ending{coder.StatusGoingAway, "stopping"}
	endGone      = ending{coder.StatusNormalClosure, "gone"} // the other side has closed, or was lost
)

// endings returns all of them.
func endings() []ending {
	return []ending{endMalformed, endTooBig, endRefused, endTryLater, endSignedOut, endTooSlow, endSilent, endReplaced, endOver, endTooMany, endStopping, endGone}
}

// socket is a WebSocket with text messages in both directions, and a bounded queue to the other side. send and end may be called concurrently.
type socket struct {
	ws       *coder.Conn
	protocol string // of those that were offered; empty: the other side asked for none
	out      chan []byte
	leave    func() // gives its place back; owned by who serves it

	once  sync.Once
	ended chan struct{} // closed with how
	how   ending
}

// accept upgrades a request to the first of the protocols that it asks for, unless a page of another origin has sent it, or its address has too many that are strangers' so far. leave must follow in the end.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, limit int64, queue int, protocols ...string) (s *socket, ok bool) {
	if h.foreign(r) {
		writeProblem(w, forbiddenOrigin.because(""))
		return nil, false
	}
	leave, free := h.sockets.take("from "+remoteAddr(r).String(), maxPerSource)
	if !free {
		writeProblem(w, tooFast.because("Too many connections.").after(time.Second))
		return nil, false
	}
	ws, err := coder.Accept(w, r, &coder.AcceptOptions{
		Subprotocols: protocols, InsecureSkipVerify: true, CompressionMode: coder.CompressionDisabled, // the origin is checked above, and what is compressed can grow
	})
	if err != nil {
		leave()
		return nil, false // it has answered
	}
	ws.SetReadLimit(limit)
	return &socket{ws: ws, protocol: ws.Subprotocol(), out: make(chan []byte, queue), ended: make(chan struct{}), leave: leave}, true
}

// belongs gives the socket a place of its owner in place of one of its address; false: the owner has too many.
func (h *Handler) belongs(s *socket, owner string, most int) bool {
	leave, free := h.sockets.take(owner, most)
	if free {
		s.leave()
		s.leave = leave
	}
	return free
}

// end has the socket close for a reason, after what was sent before. The first reason counts.
func (s *socket) end(how ending) {
	s.once.Do(func() {
		s.how = how
		close(s.ended)
	})
}

// send puts a message into the queue. Where that is full the other side is too slow, and the socket closes.
func (s *socket) send(message []byte) bool {
	select {
	case <-s.ended:
		return false
	default:
	}
	select {
	case s.out <- message:
		return true
	default:
		s.end(endTooSlow)
		return false
	}
}

// read waits for a text message, or says how the socket ends.
func (s *socket) read(ctx context.Context) ([]byte, ending, bool) {
	typ, data, err := s.ws.Read(ctx)
	switch {
	case errors.Is(err, coder.ErrMessageTooBig):
		return nil, endTooBig, false
	case err != nil:
		return nil, endGone, false
	case typ != coder.MessageText:
		return nil, endMalformed, false
	}
	return data, ending{}, true
}

// serve reads messages and writes what is queued until one side ends it or ctx is done, and returns why. handle is called with one message at a time.
func (s *socket) serve(ctx context.Context, handle func(ctx context.Context, message []byte)) ending {
	working, stop := context.WithCancel(context.WithoutCancel(ctx)) // a read that is given up takes the connection with it, and what is to be said last
	var workers sync.WaitGroup
	workers.Go(func() { s.readAll(working, handle) })
	workers.Go(func() { s.pingAll(working) })
	s.writeAll(ctx)
	if s.how != endGone {
		_ = s.ws.Close(s.how.code, s.how.reason) // waits a little for the other side
	}
	_ = s.ws.CloseNow()
	stop()
	workers.Wait()
	return s.how
}

func (s *socket) readAll(ctx context.Context, handle func(context.Context, []byte)) {
	for {
		message, how, ok := s.read(ctx)
		if !ok {
			s.end(how)
			return
		}
		select {
		case <-s.ended: // it is only waited out
		default:
			handle(ctx, message)
		}
	}
}

// pingAll finds out whether the other side is still there, and keeps boxes in between from forgetting the connection.
func (s *socket) pingAll(ctx context.Context) {
	ticker := time.NewTicker(pingEach)
	defer ticker.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-ticker.C:
		}
		if !s.ping(ctx) {
			s.end(endGone)
			return
		}
	}
}

func (s *socket) ping(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, pongWithin)
	defer cancel()
	return s.ws.Ping(ctx) == nil
}

// writeAll writes what is queued until the end, and then what was queued before it.
func (s *socket) writeAll(ctx context.Context) {
	for {
		select {
		case message := <-s.out:
			if !s.write(message) {
				return
			}
		case <-ctx.Done():
			s.end(endStopping)
			ctx = context.Background() // so that it is not asked again
		case <-s.ended:
			for len(s.out) > 0 && s.how != endGone && s.how != endTooSlow {
				if !s.write(<-s.out) {
					return
				}
			}
			return
		}
	}
}

// write writes one message; false: the socket has ended by it.
func (s *socket) write(message []byte) bool {
	ctx, cancel := context.WithTimeout(context.Background(), writeWithin)
	defer cancel()
	err := s.ws.Write(ctx, coder.MessageText, message)
	if err == nil {
		return true
	}
	how := endGone
	if errors.Is(err, context.DeadlineExceeded) {
		how = endTooSlow
	}
	s.end(how)
	return false
}
