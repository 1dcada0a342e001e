package datapath

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Times of streams.
const (
	idleTime     = 10 * time.Minute // until the first byte of a frame; clients refresh permissions every 5 minutes
	frameTime    = 10 * time.Second // from there to its last
	strangerTime = 30 * time.Second // in all without an allocation, whatever comes: strangers may not keep the places of clients
	slack        = time.Second      // deadlines are moved in steps of this, as moving one has its price
)

// stream is one TCP or TLS connection of a client.
type stream struct {
	path   *Path
	conn   net.Conn
	client Client
	ended  atomic.Bool // no allocation may stay behind it
	queue

	times    sync.Mutex
	deadline time.Time
	begun    time.Time // when the frame that is not whole yet began; zero: there is none
	stranger time.Time // since when it has had no allocation; zero: it has one
}

func (s *stream) answer(_ Client, b []byte) { s.push(b, nil) }

// ServeStream relays for the client of a connection until that ends, a frame is not what it should be, a frame takes too long, there has been no allocation for 30 seconds
// or ctx is done, and closes it: strictly one frame behind the other, of at most wire.MaxFrame bytes. The client's allocation is closed at once, then Control.Gone called.
// local and remote are the client's view, which the connection need not know.
func (p *Path) ServeStream(ctx context.Context, c net.Conn, t Transport, local, remote netip.AddrPort) {
	s := &stream{path: p, conn: c, client: Client{Transport: t, Local: local, Remote: remote}, stranger: time.Now()}
	s.queue.init(c)
	s.client.way = s
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	_ = s.read() // however it ended, the client is gone
	s.end()
}

// end closes the allocation, also one that is being made. The writer's goroutine ends with the connection.
func (s *stream) end() {
	s.ended.Store(true)
	if a := s.allocation(); a != nil {
		a.Close()
	}
	s.queue.close()
	s.path.control.Gone(s.client)
}

// allocation returns the stream's own, or nil: another stream with the same addresses may have one.
func (s *stream) allocation() *Allocation {
	if a := s.path.Allocation(s.client); a != nil && a.client == s.client {
		return a
	}
	return nil
}

// settle takes note that the stream's allocation has come or gone. Whoever calls it last sees what holds.
func (s *stream) settle() {
	s.times.Lock()
	defer s.times.Unlock()
	now, has := time.Now(), s.allocation() != nil
	switch {
	case has:
		s.stranger = time.Time{}
	case s.stranger.IsZero():
		s.stranger = now
	}
	_ = s.extendLocked(now) // fails only if the connection has ended
}

// read takes what is there, relays the frames in it, and keeps the beginning of the next.
func (s *stream) read() error {
	in := newInput(s.conn, s.path.cfg.Portable)
	defer in.free()
	for {
		if err := s.extend(time.Now()); err != nil {
			return err
		}
		b, err := in.more()
		if err != nil {
			return err
		}
		used, err := s.relay(b)
		if err != nil {
			return err
		}
		in.keep(b[used:])
		s.mark(used, len(b)-used)
	}
}

// mark notes when the frame began of which rest bytes are there, after used bytes of others.
func (s *stream) mark(used, rest int) {
	s.times.Lock()
	defer s.times.Unlock()
	switch {
	case rest == 0:
		s.begun = time.Time{}
	case used > 0 || s.begun.IsZero():
		s.begun = time.Now()
	}
}

func (s *stream) extend(now time.Time) error {
	s.times.Lock()
	defer s.times.Unlock()
	return s.extendLocked(now)
}

// extendLocked sets the read deadline, unless it is about right already.
func (s *stream) extendLocked(now time.Time) error {
	want := now.Add(idleTime)
	if !s.begun.IsZero() {
		want = s.begun.Add(frameTime)
	}
	if end := s.stranger.Add(strangerTime); !s.stranger.IsZero() && end.Before(want) {
		want = end
	}
	if d := want.Sub(s.deadline); d >= 0 && d < slack {
		return nil
	}
	s.deadline = want
	return s.conn.SetReadDeadline(want)
}

// relay handles whole frames and returns how many bytes they were.
func (s *stream) relay(b []byte) (used int, err error) {
	r := s.path.rounds.Get().(*round)
	defer s.path.rounds.Put(r)
	defer r.Flush()
	a := s.allocation()
	return frames(b, func(frame []byte) error {
		m, err := r.fromClient(a, frame)
		if m != nil {
			r.Flush()
			s.path.control.Request(s.client, m)
			a = s.allocation() // it may be new
		}
		return err
	})
}
