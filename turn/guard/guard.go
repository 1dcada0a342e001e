// Package guard stands between TURN clients and pion/turn: it checks, authenticates and answers, and has pion keep the state of what it lets through.
//
// pion never sees a byte that a stranger wrote: see docs/decisions/0016-pion-behind-a-clean-room.md. Its goroutines, one for all requests and one for each allocation,
// cannot be wrapped in a recover of ours, as pion starts them itself: a panic there ends the process of the TURN server, which holds nothing that outlives it and
// is started again; streams of endpoints live in another process.
package guard

import (
	"context"
	"fmt"
	"sync"
	"time"

	pturn "github.com/pion/turn/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/turn/control"
	"signalbox/turn/datapath"
	"signalbox/turn/session"
	"signalbox/turn/wire"
)

// Lifetimes of allocations in seconds. The longest is shorter than the hour that RFC 8656 section 7.2 advises, so that an abandoned allocation does not stay long.
const (
	DefaultLifetime = 600
	MaxLifetime     = 1800
)

// How long permissions and channels last, and ports that are kept: RFC 8656 sections 9, 12 and 7.2.
const (
	permissionLife  = 5 * time.Minute
	channelLife     = 10 * time.Minute
	reservationLife = 30 * time.Second
)

// Config is what a guard must know.
type Config struct {
	Realm      string // at most 127 characters; a short one keeps a 401 small
	RESTSecret []byte // of other systems that make credentials "expiry:name"; nil: there are none

	// Answers a second to one source (an IPv4 address, the /64 of an IPv6 address), over UDP and over streams each, that has not shown credentials, and how many at once; 0 is the default. An answer that is
	// followed by right credentials does not count, so many clients behind one address may come at once.
	Unauthenticated, UnauthenticatedBurst int // default 20, 200
	Bindings, BindingsBurst               int // default 50, 200
}

// Guard answers all requests of clients. It fulfils datapath.Control. Safe for concurrent use.
type Guard struct {
	cfg      Config
	path     *datapath.Path
	sessions *session.Table
	secrets  func() control.Secrets
	log      *zap.Logger
	metrics  *metrics
	now      func() time.Time

	nonces     *nonces
	challenges limiters
	bindings   limiters
	recent     *recent
	pion       *conn

	mu          sync.Mutex
	allocations map[datapath.Client]*allocation
	last        uint64 // number of the last allocation
}

// New builds a guard. secrets is asked for each request that has to be authenticated and must not block.
func New(cfg Config, path *datapath.Path, sessions *session.Table, secrets func() control.Secrets, log *zap.Logger, reg prometheus.Registerer) (*Guard, error) {
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	n, err := newNonces(time.Now)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		cfg: cfg, path: path, sessions: sessions, secrets: secrets, log: log.Named("guard"), metrics: m, now: time.Now,
		nonces: n, recent: newRecent(), allocations: map[datapath.Client]*allocation{},
		challenges: newLimiters(or(cfg.Unauthenticated, 20), or(cfg.UnauthenticatedBurst, 200)),
		bindings:   newLimiters(or(cfg.Bindings, 50), or(cfg.BindingsBurst, 200)),
	}
	g.pion, err = newConn(g)
	return g, err
}

func or(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Run has pion work until ctx is done. When it returns every allocation is closed.
func (g *Guard) Run(ctx context.Context) error {
	logs := &loggers{log: g.log}
	defer logs.end()
	server, err := pturn.NewServer(pturn.ServerConfig{
		Realm:             pionRealm,
		AuthHandler:       g.pion.authenticate,
		LoggerFactory:     logs,
		PacketConnConfigs: []pturn.PacketConnConfig{{PacketConn: g.pion, RelayAddressGenerator: relays{g}}},
	})
	if err != nil {
		return fmt.Errorf("start pion/turn: %w", err)
	}
	<-ctx.Done()
	err = server.Close() // which closes g.pion; pion's reading goroutine then closes all allocations
	<-g.pion.ended
	g.pion.views.Wait()
	if err != nil {
		return fmt.Errorf("stop pion/turn: %w", err)
	}
	return nil
}

// exchange is one request while it is looked at, on the goroutine that read it.
type exchange struct {
	origin
	m    *wire.Message
	user user
}

// Request answers a message that is no Send indication, or has pion do so. It does not block and keeps nothing of m.
func (g *Guard) Request(from datapath.Client, m *wire.Message) {
	method, ok := methodOf(m.Type)
	if !ok {
		g.metrics.drop(dropNotRequest) // indications that keep a NAT's binding open, answers, methods that are not TURN over UDP: RFC 8489 section 6.3
		return
	}
	if !m.CheckFingerprint() {
		g.metrics.drop(dropFingerprint)
		return
	}
	_, print := m.Get(wire.AttrFingerprint)
	x := exchange{origin: origin{from: from, id: m.TransactionID, method: method, print: print}, m: m}
	if method == binding {
		g.binding(&x)
		return
	}
	g.turn(&x)
}

// turn handles a request of RFC 8656 along the steps of its section 5.
func (g *Guard) turn(x *exchange) {
	held := g.held(x.from)
	if !g.authenticate(x, held) {
		return
	}
	if answer := g.recent.get(x.transaction()); answer != nil {
		g.metrics.repeats.Inc()
		x.from.Answer(answer)
		return
	}
	var room [4]uint16
	if unknown := x.m.Unknown(room[:0]); len(unknown) > 0 {
		g.refuseWith(&x.origin, wire.CodeUnknownAttribute, func(b *wire.Builder) { b.AddUnknown(unknown) })
		return
	}
	switch {
	case x.method == allocate:
		g.allocate(x, held)
	case held == nil || !held.live(): // a client that does not wait for its allocation may not get it
		g.refuse(&x.origin, wire.CodeAllocationMismatch)
	case held.user.name != x.user.name:
		g.refuse(&x.origin, wire.CodeWrongCredentials)
	case x.method == refresh:
		g.refresh(x, held)
	case x.method == permission:
		g.permission(x, held)
	default:
		g.channel(x, held)
	}
}

// binding answers with the client's address: RFC 8489 section 6.3.1.
func (g *Guard) binding(x *exchange) {
	if !g.bindings.take(x.from) {
		g.metrics.drop(dropRate)
		return
	}
	var room [4]uint16
	if unknown := x.m.Unknown(room[:0]); len(unknown) > 0 {
		g.refuseWith(&x.origin, wire.CodeUnknownAttribute, func(b *wire.Builder) { b.AddUnknown(unknown) })
		return
	}
	g.succeed(&x.origin, func(b *wire.Builder) { b.AddAddr(wire.AttrXORMappedAddress, x.from.Remote) })
}

// Gone frees the allocation of a client whose stream ended.
func (g *Guard) Gone(from datapath.Client) {
	g.mu.Lock()
	a := g.allocations[from]
	g.mu.Unlock()
	if a != nil {
		a.end()
	}
}
