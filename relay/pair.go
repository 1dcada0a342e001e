package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"signalbox/internal/channel"
)

// meter counts the bytes of a session in both directions.
type meter struct {
	bytes [2]atomic.Int64
	over  sync.Once
}

func (m *meter) counters() Counters { return Counters{Up: m.bytes[0].Load(), Down: m.bytes[1].Load()} }

// pair is one channel: two sides that are joined once both have come.
type pair struct {
	server  *Server
	session *session
	legs    [2]*leg
	expiry  *time.Timer // of the tickets; set under server.mu, before anybody has one

	joined chan struct{}      // closed once both sides are there
	over   context.Context    // done at the end
	stop   context.CancelFunc // of over

	mu     sync.Mutex
	came   int    // sides
	reason Reason // of the end; empty: there was none
}

// leg is one side.
type leg struct {
	pair *pair
	side int

	ticket [sha256.Size]byte // its hash
	ws     *websocket.Conn   // set before the pair is joined, or nil
	source netip.AddrPort    // likewise

	heard   atomic.Int64 // when something came from it last, in nanoseconds since 1970
	waiting atomic.Int64 // since when a message for it has not been taken; 0: there is none
	pinging atomic.Bool
}

func newPair(s *Server, own *session) *pair {
	p := &pair{server: s, session: own, joined: make(chan struct{})}
	p.over, p.stop = context.WithCancel(context.Background())
	for side := range p.legs {
		p.legs[side] = &leg{pair: p, side: side}
	}
	return p
}

// enter joins a side; false: the channel has ended.
func (p *pair) enter(l *leg, ws *websocket.Conn, source netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != "" {
		return false
	}
	l.ws, l.source = ws, source
	l.heard.Store(time.Now().UnixNano())
	if p.came++; p.came == len(p.legs) {
		p.expiry.Stop()
		close(p.joined)
	}
	return true
}

// end ends the channel, for the first reason that is given. The sides' handlers close their connections.
func (p *pair) end(r Reason) {
	p.mu.Lock()
	first := p.reason == ""
	if first {
		p.reason = r
	}
	p.mu.Unlock()
	if !first {
		return
	}
	p.server.forget(p)
	p.server.metrics.ended.WithLabelValues(string(r)).Inc()
	p.stop()
}

func (p *pair) ended() Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// serve moves what comes from this side to the other until the channel ends, and then closes this side.
func (l *leg) serve() {
	p := l.pair
	closed := make(chan struct{})
	go func() { // ends with the channel
		defer close(closed)
		<-p.over.Done()
		r := p.ended()
		_ = l.ws.Close(r.code(), string(r)) // who does not answer within seconds is cut
	}()
	select {
	case <-p.joined:
		r := l.move(p.legs[1-l.side])
		if r == ReasonTooLarge {
			p.server.refused(Refusal{r, l.source, p.session.id, l.side == 0})
		}
		p.end(r)
	case <-p.over.Done():
	}
	<-closed
}

// buffers are the messages on their way, one for each direction in which something flows.
var buffers = sync.Pool{New: func() any { return new([channel.MaxMessage + 1]byte) }}

// move hands messages to the other side, one after the other: what that does not take is not read here. It returns why it ended.
func (l *leg) move(to *leg) Reason {
	l.ws.SetReadLimit(channel.MaxMessage)
	ctx := context.Background() // the end of the channel closes both connections, and a context for each message would cost
	for {
		kind, r, err := l.ws.Reader(ctx)
		if err != nil {
			return reasonOf(err)
		}
		if reason := l.pass(to, kind, r); reason != "" {
			return reason
		}
	}
}

// pass hands one message on.
func (l *leg) pass(to *leg, kind websocket.MessageType, r io.Reader) Reason {
	buf := buffers.Get().(*[channel.MaxMessage + 1]byte)
	defer buffers.Put(buf)
	n, err := io.ReadFull(r, buf[:])
	switch {
	case err == nil:
		return ReasonTooLarge
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return reasonOf(err)
	}
	now := time.Now().UnixNano()
	l.heard.Store(now)
	if !l.count(n) {
		return ReasonQuota
	}
	to.waiting.Store(now)
	err = to.ws.Write(context.Background(), kind, buf[:n])
	to.waiting.Store(0)
	if err != nil {
		return reasonOf(err)
	}
	return ""
}

// count adds a message to what the session has moved; false: it is more than it may.
func (l *leg) count(n int) bool {
	own := l.pair.session
	own.meter.bytes[l.side].Add(int64(n))
	l.pair.server.metrics.bytes.WithLabelValues(directions[l.side]).Add(float64(n))
	quota := own.quota.Load()
	if c := own.meter.counters(); quota == 0 || c.Up+c.Down <= quota {
		return true
	}
	own.meter.over.Do(func() { go own.over() }) // it ends the session, which ends this channel
	return false
}

func reasonOf(err error) Reason {
	switch {
	case websocket.CloseStatus(err) == websocket.StatusNormalClosure || websocket.CloseStatus(err) == websocket.StatusGoingAway:
		return ReasonDone
	case errors.Is(err, websocket.ErrMessageTooBig):
		return ReasonTooLarge
	}
	return ReasonLost
}

// look ends a channel of which a side takes nothing, and asks a side that is silent for a sign of life.
func (p *pair) look(now time.Time) {
	select {
	case <-p.joined:
	default:
		return
	}
	for _, l := range p.legs {
		since := l.waiting.Load()
		switch {
		case since != 0 && now.Sub(time.Unix(0, since)) > p.server.cfg.StallTimeout:
			p.end(ReasonStalled)
		case p.legs[1-l.side].waiting.Load() != 0: // it is not read while the other takes nothing, and could not be heard
		case now.Sub(time.Unix(0, l.heard.Load())) > p.server.cfg.PingInterval && l.pinging.CompareAndSwap(false, true):
			go l.ping()
		}
	}
}

// ping asks the side for a sign of life. It ends with the answer, the end of the channel, or when the time for it is over.
func (l *leg) ping() {
	defer l.pinging.Store(false)
	ctx, cancel := context.WithTimeout(l.pair.over, l.pair.server.cfg.PingInterval)
	defer cancel()
	if err := l.ws.Ping(ctx); err == nil {
		l.heard.Store(time.Now().UnixNano())
	} else if l.pair.legs[1-l.side].waiting.Load() == 0 {
		l.pair.end(ReasonLost)
	}
}
