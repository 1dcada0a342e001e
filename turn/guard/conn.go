package guard

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"signalbox/turn/datapath"
	"signalbox/turn/wire"
)

// What pion knows of us: one user, whose key never leaves the process.
const (
	pionRealm = "inside"
	pionUser  = "guard"
)

// queueSize bounds the questions that wait for pion. It answers some tens of thousands a second, so that more would wait for nothing; a client whose question finds
// no room asks again.
const queueSize = 1024

// What one allocation may ask: no client that waits for answers comes near, and one that does not takes no room and no time from others.
const (
	queueShare     = 8  // questions that wait
	questionRate   = 50 // questions a second
	questionsBurst = 200
)

// question is a request that pion is asked to carry out.
type question struct {
	origin
	allocation *allocation
	lifetime   uint32           // allocate, refresh: seconds
	peers      []netip.AddrPort // permission: 1 to 16; channel: one
	channel    uint16
	code       int  // why the data path did not go along; 0: it did
	end        bool // nobody waits for the answer: pion shall forget an allocation that is over
}

// conn is the only socket that pion has: reading gives it questions one after the other, writing takes its answers. pion answers a question before it reads the next
// one, so all but the queue belongs to the goroutine of its read loop.
type conn struct {
	guard     *Guard
	queue     chan *question
	questions rate           // of one allocation
	ends      chan *question // of allocations that are over: apart, so that many of them do not keep clients waiting
	closed    chan struct{}
	close     sync.Once
	ended     chan struct{}  // pion reads no more
	views     sync.WaitGroup // relay sockets that pion has

	// Of pion's read loop.
	nonce   []byte    // of pion; empty: it has to be asked for
	current *question // waits for its answer; nil: that for the nonce is next
	again   *question // to be asked once more, with a new nonce
	number  uint64    // of the last request, which is its transaction id
	buf     [wire.MaxFrame]byte
	message wire.Message

	key [16]byte
}

func newConn(g *Guard) (*conn, error) {
	c := &conn{
		guard: g, queue: make(chan *question, queueSize), questions: newRate(questionRate, questionsBurst),
		ends: make(chan *question), closed: make(chan struct{}), ended: make(chan struct{}),
	}
	if _, err := rand.Read(c.key[:]); err != nil {
		return nil, fmt.Errorf("make the key between guard and pion: %w", err)
	}
	return c, nil
}

// authenticate is pion's AuthHandler.
func (c *conn) authenticate(user, _ string, _ net.Addr) ([]byte, bool) {
	return c.key[:], user == pionUser
}

// put queues a question; false: there is no room. A client that sent a datagram will ask again; one with a stream takes silence for an answer that is on its way, so it is
// told.
func (c *conn) put(q *question) bool {
	if c.enqueue(q) {
		return true
	}
	c.guard.metrics.drop(dropQueue)
	if q.from.Transport != datapath.UDP {
		c.guard.refuse(&q.origin, wire.CodeServerError)
	}
	return false
}

func (c *conn) enqueue(q *question) bool {
	if !c.questions.take(&q.allocation.asked) {
		return false
	}
	if q.allocation.waiting.Add(1) <= queueShare {
		select {
		case c.queue <- q:
			return true
		default:
		}
	}
	q.allocation.waiting.Add(-1)
	return false
}

// end has pion forget an allocation that is over. It waits until pion listens, as nobody would ask again.
func (c *conn) end(a *allocation) {
	select {
	case c.ends <- &question{origin: origin{method: refresh}, allocation: a, end: true}:
	case <-c.closed: // pion forgets all of them
	}
}

// ReadFrom gives pion the next request.
func (c *conn) ReadFrom(p []byte) (int, net.Addr, error) {
	if q := c.current; q != nil { // it has no answer: the allocation ended while it waited
		c.current = nil
		c.guard.unanswered(q)
	}
	if len(c.nonce) == 0 {
		return c.ask(p, nil)
	}
	for {
		q := c.again
		if c.again = nil; q == nil {
			select {
			case <-c.closed:
				close(c.ended)
				return 0, nil, net.ErrClosed
			case q = <-c.queue:
				q.allocation.waiting.Add(-1)
			case q = <-c.ends:
			}
		}
		if c.guard.prepare(q) {
			c.current = q
			return c.ask(p, q)
		}
	}
}

// ask builds a request from what was understood of the client's; without a question it is one that pion answers with a nonce.
func (c *conn) ask(p []byte, q *question) (int, net.Addr, error) {
	c.number++
	var id [12]byte
	binary.BigEndian.PutUint64(id[4:], c.number)
	var b wire.Builder
	if q == nil {
		b.Begin(p[:0], wire.TypeRefreshRequest, id)
		return len(b.Bytes()), synthetic(0), nil
	}
	b.Begin(p[:0], q.method.request(), id)
	switch q.method {
	case allocate:
		b.AddUint32(wire.AttrRequestedTransport, wire.TransportUDP<<24)
		b.AddUint32(wire.AttrLifetime, pionLifetime(q.lifetime))
	case refresh:
		b.AddUint32(wire.AttrLifetime, pionLifetime(q.lifetime))
	case channel:
		b.AddUint32(wire.AttrChannelNumber, uint32(q.channel)<<16)
	}
	for _, peer := range q.peers {
		b.AddAddr(wire.AttrXORPeerAddress, peer)
	}
	b.AddString(wire.AttrUsername, pionUser)
	b.AddString(wire.AttrRealm, pionRealm)
	b.Add(wire.AttrNonce, c.nonce)
	b.AddIntegrity(c.key[:])
	return len(b.Bytes()), q.allocation.addr, nil
}

// pionLifetime returns the lifetime that pion is asked for: a little longer than the client's, so that it is the guard that ends an allocation whose time is over,
// by the queue, and not pion's timer in the middle of a request; see view.
func pionLifetime(seconds uint32) uint32 {
	if seconds == 0 {
		return 0
	}
	return seconds + 60 // below the hour that pion allows
}

// WriteTo takes pion's answer to the last request.
func (c *conn) WriteTo(p []byte, _ net.Addr) (int, error) {
	m, q := &c.message, c.current
	if err := m.Parse(append(c.buf[:0], p...)); err != nil {
		return 0, fmt.Errorf("parse what pion wrote: %w", err)
	}
	code := errorCode(m)
	if nonce, ok := m.Get(wire.AttrNonce); ok && (q == nil || code == wire.CodeStaleNonce) {
		c.nonce = append(c.nonce[:0], nonce...)
		c.current, c.again = nil, q
		return len(p), nil
	}
	if c.current = nil; q != nil {
		c.guard.answered(q, code)
	}
	return len(p), nil
}

// errorCode returns the ERROR-CODE of an answer; 0: it is a success; 500 for an error that has none.
func errorCode(m *wire.Message) int {
	if wire.ClassOf(m.Type) != wire.ClassError {
		return 0
	}
	if v, ok := m.Get(wire.AttrErrorCode); ok && len(v) >= 4 {
		return int(v[2]&7)*100 + int(v[3])
	}
	return wire.CodeServerError
}

// Close ends pion's read loop.
func (c *conn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return nil
}

// LocalAddr is the server's end of all of pion's 5-tuples.
func (c *conn) LocalAddr() net.Addr { return synthetic(0) }

// errNoDeadline says that these sockets are none.
var errNoDeadline = errors.New("a socket inside of the process has no deadlines")

// SetDeadline is not used by pion.
func (c *conn) SetDeadline(time.Time) error { return errNoDeadline }

// SetReadDeadline is not used by pion.
func (c *conn) SetReadDeadline(time.Time) error { return errNoDeadline }

// SetWriteDeadline is not used by pion.
func (c *conn) SetWriteDeadline(time.Time) error { return errNoDeadline }

var _ datapath.Control = (*Guard)(nil)
