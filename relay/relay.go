// Package relay joins the two sides of a channel of a remote session where they reach each other in no better way: each opens a WebSocket on 443 with a ticket that holds
// once, and messages of one side are handed to the other, unread and unstored.
package relay

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Path is where the relay is served; behind it stands a ticket.
const Path = "/relay/"

// TicketLife is how long a pair of tickets holds, and how long the first side waits for the second.
const TicketLife = 30 * time.Second

// Errors of Pair.
var (
	ErrTooMany  = errors.New("too many channels are relayed")
	ErrStopping = errors.New("the relay is stopping")
)

// Counters are the bytes of messages that passed.
type Counters struct {
	Up   int64 // from the first side to the second
	Down int64
}

// Refusal is what whoever keeps an audit trail wants to know of.
type Refusal struct {
	Reason Reason         // ReasonUnknownTicket: a ticket opened nothing; ReasonTooLarge: a message ended its channel
	Source netip.AddrPort // who showed the ticket, or sent the message
	// Of a message:
	Session string
	First   bool // the side that sent it
}

// Server relays. All methods may be called concurrently.
type Server struct {
	cfg     Config
	log     *zap.Logger
	metrics metrics
	refused func(Refusal)

	running sync.WaitGroup // handlers of sides

	mu       sync.Mutex
	stopping bool
	tickets  map[[sha256.Size]byte]*leg // not used yet; by their hashes
	sessions map[string]*session
	pairs    int
}

// session is what the channels of one remote session share. Guarded by Server.mu, but for the counters.
type session struct {
	quota atomic.Int64 // bytes in both directions; 0: no bound
	id    string
	over  func()
	pairs map[*pair]struct{}
	ended bool
	meter meter
}

// New returns a relay that has started nothing. refused is told of each Refusal, and must not block; nil: nobody is.
func New(cfg Config, refused func(Refusal), log *zap.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if refused == nil {
		refused = func(Refusal) {}
	}
	return &Server{
		cfg: cfg, log: log.Named("relay"), metrics: newMetrics(reg), refused: refused,
		tickets: map[[sha256.Size]byte]*leg{}, sessions: map[string]*session{},
	}, nil
}

// Open makes room for the channels of a remote session, which may move so many bytes in all; 0: without a bound. over is called once, by a goroutine of its own, when they
// have moved more. Opened again, its bound is another. Close must follow.
func (s *Server) Open(id string, quota int64, over func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.sessions[id]
	if own == nil {
		own = &session{id: id, over: over, pairs: map[*pair]struct{}{}}
		s.sessions[id] = own
	}
	own.quota.Store(quota)
}

// Pair makes the two tickets of one channel of a session. Errors: ErrTooMany, ErrStopping, and ErrUnknown for a session that is not open.
func (s *Server) Pair(id string) (first, second string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.sessions[id]
	switch {
	case s.stopping:
		return "", "", ErrStopping
	case own == nil || own.ended:
		return "", "", ErrUnknown
	case s.pairs >= s.cfg.MaxPairs || len(own.pairs) >= s.cfg.PairsOfOne:
		return "", "", ErrTooMany
	}
	p := newPair(s, own)
	own.pairs[p] = struct{}{}
	s.pairs++
	s.metrics.open.Set(float64(s.pairs))
	tickets := [2]string{rand.Text(), rand.Text()}
	for i, l := range p.legs {
		l.ticket = sha256.Sum256([]byte(tickets[i]))
		s.tickets[l.ticket] = l
	}
	p.expiry = time.AfterFunc(TicketLife, func() { p.end(ReasonNobodyCame) })
	return tickets[0], tickets[1], nil
}

// ErrUnknown says that a session is not open.
var ErrUnknown = errors.New("the session is not open")

// Counters returns what the channels of a session have moved.
func (s *Server) Counters(id string) Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own := s.sessions[id]; own != nil {
		return own.meter.counters()
	}
	return Counters{}
}

// Close ends all channels of a session and returns what they have moved.
func (s *Server) Close(id string) Counters {
	s.mu.Lock()
	own := s.sessions[id]
	var all []*pair
	if own != nil {
		own.ended = true
		for p := range own.pairs {
			all = append(all, p)
		}
		delete(s.sessions, id)
	}
	s.mu.Unlock()
	for _, p := range all {
		p.end(ReasonSessionEnded)
	}
	if own == nil {
		return Counters{}
	}
	return own.meter.counters()
}

// forget takes a pair that has ended out of the books.
func (s *Server) forget(p *pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.expiry.Stop()
	for _, l := range p.legs {
		delete(s.tickets, l.ticket)
	}
	if _, ok := p.session.pairs[p]; ok {
		delete(p.session.pairs, p)
		s.pairs--
		s.metrics.open.Set(float64(s.pairs))
	}
}

// Run looks after channels until ctx is done, then ends them all and waits for them.
func (s *Server) Run(ctx context.Context) error {
	t := time.NewTicker(s.cfg.PingInterval / 4)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			for _, p := range s.all() {
				p.look(now)
			}
		case <-ctx.Done():
			s.mu.Lock()
			s.stopping = true
			s.mu.Unlock()
			for _, p := range s.all() {
				p.end(ReasonStopped)
			}
			s.running.Wait()
			return nil
		}
	}
}

func (s *Server) all() (all []*pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, own := range s.sessions {
		for p := range own.pairs {
			all = append(all, p)
		}
	}
	return all
}
