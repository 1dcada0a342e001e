// Package datapath moves the bytes of TURN: it reads datagrams and streams of clients, relays ChannelData, Send and Data indications between them and relay sockets,
// and gives every other message to a Control. Which peers may be reached is its Owner's answer; who may have an allocation, and for how long, is Control's.
//
// Packets are taken and given many per system call: a round is what one reader took at once, and what comes of it leaves when the round is over. Nothing is
// allocated per relayed packet.
package datapath

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/turn/batch"
	"signalbox/turn/tally"
	"signalbox/turn/wire"
)

// MaxPayload is the longest payload in bytes that is relayed, that of an Ethernet frame. Longer ones are dropped and counted, never truncated.
const MaxPayload = 1500

// Errors of Allocate, and of an allocation's Permit and Bind.
var (
	ErrFamily  = errors.New("there is no relay address of this family")      // 440; of Permit and Bind: the peer is of another family than the allocation, 443
	ErrNoPort  = errors.New("no relay port is free, or no pair of them")     // 508
	ErrKept    = errors.New("the session has as many ports kept as it may")  // 508
	ErrToken   = errors.New("no port is kept under this token")              // 508: it was used, its time is over, or it is another session's
	ErrExists  = errors.New("the client has an allocation")                  // 437
	ErrTooMany = errors.New("the allocation has as many as it may have")     // 508
	ErrBound   = errors.New("the channel or the peer is bound otherwise")    // 400, RFC 8656 section 12.2
	ErrPeer    = errors.New("no datagram can be sent to port 0")             // 400
	ErrClosed  = errors.New("the allocation, its stream or the path closed") // 437
)

// Owner is the side of a session that has an allocation. Its methods are called for every packet, concurrently and with no lock of this package held, but for Ended and
// Counters, which must take none.
type Owner interface {
	// Allows tells whether the peer may be reached. The answer is kept until Generation changes.
	Allows(peer netip.AddrPort) bool
	Generation() uint64
	// Take takes the bytes of one packet from the rate that is left; false: the packet is dropped.
	Take(bytes int) bool
	// Ended tells whether there is nothing that the owner will allow any more.
	Ended() bool
	// Counters are those of the session: both sides have the same, and nobody else has.
	Counters() *tally.Counters
}

// Control takes what is not data. Its methods are called by the goroutines that read from clients.
type Control interface {
	// Request takes any STUN message but Send indications. It must not block, and neither keep nor change m.
	Request(from Client, m *wire.Message)
	// Gone tells that a client's stream has ended. Its allocation is closed already.
	Gone(from Client)
}

// RelayAddr is an address that relay sockets are bound to, and the one that is told to clients: the same if Announced is not valid.
type RelayAddr struct{ Bind, Announced netip.Addr }

// Config of a Path.
type Config struct {
	Relay            []RelayAddr // one per address family at most
	MinPort, MaxPort uint16      // of relay sockets; both are included
	Portable         bool        // one packet per system call, and a goroutine per relay socket
}

// Path is one data path with its allocations. Its methods may be called concurrently, but SetControl comes before everything else.
type Path struct {
	log     *zap.Logger
	metrics *metrics
	control Control
	relays  [2]*relay // IPv4, IPv6; nil: there is none
	rounds  sync.Pool // *round, for streams
	start   time.Time // times are kept as nanoseconds from here
	cfg     Config
	groups  []batch.Group // relay sockets are spread over them

	mu      sync.RWMutex
	stopped bool
	clients map[tuple]*Allocation
	relayed map[netip.AddrPort]*Allocation // by bound and by announced address
}

// relay is the relay sockets of one family.
type relay struct {
	RelayAddr
	ports *ports
}

// New checks the configuration. What it opens is freed when Run returns.
func New(cfg Config, log *zap.Logger, reg prometheus.Registerer) (*Path, error) {
	p := &Path{log: log.Named("datapath"), cfg: cfg, start: time.Now(), clients: map[tuple]*Allocation{}, relayed: map[netip.AddrPort]*Allocation{}}
	p.rounds.New = func() any { return &round{path: p} }
	if cfg.MinPort == 0 || cfg.MinPort > cfg.MaxPort {
		return nil, fmt.Errorf("relay ports %d to %d: not a range", cfg.MinPort, cfg.MaxPort)
	}
	for _, r := range cfg.Relay {
		if err := p.addRelay(r); err != nil {
			return nil, err
		}
	}
	p.metrics = newMetrics(reg)
	loops := 1
	if !cfg.Portable {
		loops = (runtime.GOMAXPROCS(0) + 3) / 4 // few, so that a round finds many packets
	}
	for range loops {
		g, err := batch.NewGroup(func() batch.Handler { return &peerReader{round{path: p}} }, cfg.Portable)
		if err != nil {
			return nil, err
		}
		p.groups = append(p.groups, g)
	}
	return p, nil
}

func (p *Path) addRelay(r RelayAddr) error {
	r.Bind, r.Announced = r.Bind.Unmap(), r.Announced.Unmap()
	if !r.Announced.IsValid() {
		r.Announced = r.Bind
	}
	i := familyIndex(r.Bind.Is6())
	switch {
	case !r.Bind.IsValid() || r.Bind.IsUnspecified() || r.Announced.IsUnspecified():
		return fmt.Errorf("relay address %s, announced as %s: want addresses of this machine, not a wildcard", r.Bind, r.Announced)
	case r.Bind.Is6() != r.Announced.Is6():
		return fmt.Errorf("relay address %s is announced as %s, which is of another family", r.Bind, r.Announced)
	case p.relays[i] != nil:
		return fmt.Errorf("relay address %s: there is one of its family, %s", r.Bind, p.relays[i].Bind)
	}
	p.relays[i] = &relay{RelayAddr: r, ports: newPorts(p.cfg.MinPort, p.cfg.MaxPort)}
	return nil
}

func familyIndex(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// SetControl says who takes what is not data.
func (p *Path) SetControl(c Control) { p.control = c }

// Run relays from peers to clients until ctx is done; then every allocation is closed, and there are no new ones. It runs once.
func (p *Path) Run(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	for _, g := range p.groups {
		work.Go(func() error { return g.Run(ctx.Done()) })
	}
	<-ctx.Done()
	p.closeAll()
	return work.Wait()
}

func (p *Path) closeAll() {
	p.mu.Lock()
	p.stopped = true
	all := make([]*Allocation, 0, len(p.clients))
	for _, a := range p.clients {
		all = append(all, a)
	}
	p.mu.Unlock()
	for _, a := range all {
		a.Close()
	}
}

// Allocation returns the allocation of a client, or nil.
func (p *Path) Allocation(c Client) *Allocation { return p.find(c.tuple()) }

func (p *Path) find(t tuple) *Allocation {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.clients[t]
}

// At returns the allocation with a relayed address, as it is announced or as it is bound, or nil.
func (p *Path) At(relayed netip.AddrPort) *Allocation {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.relayed[relayed]
}

// ours tells whether an allocation may be at this address, without a lock.
func (p *Path) ours(a netip.Addr) bool {
	r := p.relays[familyIndex(a.Is6())]
	return r != nil && (a == r.Announced || a == r.Bind)
}

// inRange tells whether an address is one that an allocation has, or could have.
func (p *Path) inRange(a netip.AddrPort) bool {
	return p.ours(a.Addr()) && a.Port() >= p.cfg.MinPort && a.Port() <= p.cfg.MaxPort
}

// now is the time as allocations keep it.
func (p *Path) now() int64 { return p.at(time.Now()) }

func (p *Path) at(t time.Time) int64 { return int64(t.Sub(p.start)) }
