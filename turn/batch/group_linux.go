package batch

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// group is sockets in one epoll set: a silent socket costs no goroutine and no buffer, and what many sockets received in one round is handed on by one Flush.
type group struct {
	handler func() Handler
	poller  *poller

	mu    sync.RWMutex
	ended bool
	open  map[uint64]*socket
	last  uint64 // the newest socket's id; ids are never used again, as file descriptors are

	rounds uint64 // owned by the loop
}

func newGroup(handler func() Handler) (Group, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	return &group{handler: handler, poller: p, open: map[uint64]*socket{}, last: stopped}, nil
}

func (g *group) Open(local netip.AddrPort, tag any) (Socket, error) {
	s := &socket{group: g, tag: tag}
	s.init(local.Addr().Is6())
	if err := s.bind(local); err != nil {
		return nil, err
	}
	if err := g.add(s); err != nil {
		_ = unix.Close(s.fd)
		return nil, err
	}
	return s, nil
}

func (g *group) add(s *socket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return net.ErrClosed
	}
	g.last++
	s.id = g.last
	if err := g.poller.add(s.fd, s.id); err != nil {
		return err
	}
	g.open[s.id] = s
	return nil
}

func (g *group) Run(stop <-chan struct{}) error {
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-stop:
			g.poller.wake()
		case <-done:
		}
	})
	err := g.loop()
	close(done)
	watch.Wait()
	return errors.Join(err, g.close())
}

// loop hands on what sockets receive until the poller is woken.
func (g *group) loop() error {
	h := g.handler()
	events := make([]unix.EpollEvent, Most)
	ready := make([]*socket, Most)
	for {
		n, err := g.poller.wait(events)
		if err != nil {
			return err
		}
		found, ended := g.find(events[:n], ready)
		if ended {
			return nil
		}
		g.round(h, ready[:found])
		clear(ready[:found])
	}
}

// find returns the sockets that events are of, without those that were closed meanwhile.
func (g *group) find(events []unix.EpollEvent, ready []*socket) (n int, ended bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for i := range events {
		id := idOf(&events[i])
		ended = ended || id == stopped
		if s := g.open[id]; s != nil {
			ready[n] = s
			n++
		}
	}
	return n, ended
}

// round takes a burst from each socket that has something; sockets that have more are found again by the next round.
func (g *group) round(h Handler, ready []*socket) {
	r := rings.Get().(*ring)
	defer rings.Put(r)
	g.rounds++
	used := 0
	for _, s := range ready {
		most := s.most(g.rounds)
		if used+most > Most {
			h.Flush()
			used = 0
		}
		n, _ := s.receive(r, used, most, false) // an error was one packet's, and reading it took it away
		s.had(n, g.rounds)
		r.hand(h, s.tag, used, n)
		used += n
	}
	h.Flush()
}

// close closes what is open still.
func (g *group) close() error {
	g.mu.Lock()
	left := g.open
	g.open, g.ended = map[uint64]*socket{}, true
	g.mu.Unlock()
	for _, s := range left {
		s.Close()
	}
	return g.poller.close()
}
