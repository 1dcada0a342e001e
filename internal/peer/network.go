package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pion/transport/v2"
	"github.com/pion/transport/v2/stdnet"
)

// Budget is how many records a connection may encrypt before it has to be replaced: the DTLS of the library draws the nonces of AES-GCM at random, and two of 2^24 are
// the same with a probability of 2^-17 (CVE-2026-26014). Packets of other kinds count, too, which errs on the right side.
const Budget = 1<<24 - 1<<16

// network is all that the library knows of the system's network: it hands out sockets whose packets are counted and checked, and knows the TURN servers by the names of
// targets. It implements transport.Net and the dialer for TURN over TCP and TLS.
type network struct {
	transport.Net
	life    context.Context
	targets []target
	tries   *tries
	dial    Dial

	sent   atomic.Int64 // packets
	budget atomic.Int64
	renew  func()
	once   sync.Once

	mu      sync.Mutex
	closed  bool
	sockets map[closer]bool // true: not in use yet, and therefore not worth a proper end
}

type closer interface{ Close() error }

var (
	errUnknown = errors.New("no server of that name is known")
	errBetter  = errors.New("a better way is there")
	errClosed  = errors.New("the connection has ended")
)

func newNetwork(life context.Context, targets []target, dial Dial, renew func()) *network {
	if dial == nil {
		dial = dialDirectly
	}
	n := &network{Net: &stdnet.Net{}, life: life, targets: targets, tries: newTries(), dial: dial, renew: renew, sockets: map[closer]bool{}}
	n.budget.Store(Budget)
	return n
}

// dialDirectly is Dial without proxies and with the system's authorities.
func dialDirectly(ctx context.Context, address string, secure bool) (net.Conn, error) {
	if !secure {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	return (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"stun.turn"}}}).DialContext(ctx, "tcp", address)
}

func (n *network) target(name string) (target, bool) {
	host, _, _ := net.SplitHostPort(name)
	i := slices.IndexFunc(n.targets, func(t target) bool { return t.name == host })
	if i < 0 {
		return target{}, false
	}
	return n.targets[i], true
}

// Interfaces returns the interfaces that there are now.
func (n *network) Interfaces() ([]*transport.Interface, error) {
	fresh, err := stdnet.NewNet()
	if err != nil {
		return nil, err
	}
	return fresh.Interfaces()
}

// ResolveUDPAddr returns where a TURN server is. One that is reached by a stream has no address here: its packets go into the stream, and what else asks for it must not
// send anything.
func (n *network) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	t, ok := n.target(address)
	if !ok {
		return nil, errUnknown
	}
	if t.rung != turnRungs[0] {
		if network != "udp4" {
			return nil, errUnknown
		}
		return &net.UDPAddr{IP: net.IPv4zero}, nil
	}
	ips, err := net.DefaultResolver.LookupIP(n.life, map[string]string{"udp4": "ip4", "udp6": "ip6"}[network], t.host)
	if err == nil && len(ips) == 0 {
		err = errUnknown
	}
	if err != nil {
		if network == "udp4" {
			n.tries.failed(t.rung, clean(err))
		}
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(n.life, "udp", t.port)
	return &net.UDPAddr{IP: ips[0], Port: port}, err
}

// ListenUDP opens a socket for host candidates and probes.
func (n *network) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	c, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	s := &socket{UDPConn: c, net: n}
	return s, n.keep(s, false)
}

// ListenPacket opens a socket for a TURN server that is reached over UDP.
func (n *network) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := net.ListenPacket(network, address)
	if err != nil {
		n.tries.failed(turnRungs[0], clean(err))
		return nil, err
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(errUnknown, c.Close())
	}
	s := &socket{UDPConn: udp, net: n, turn: &allocation{rung: turnRungs[0], net: n}}
	s.turn.ready = func() { n.use(s) }
	return s, n.keep(s, true)
}

// Dial connects to a TURN server by TCP or TLS, when that is due.
func (n *network) Dial(_, address string) (net.Conn, error) {
	t, ok := n.target(address)
	if !ok {
		return nil, errUnknown
	}
	if !n.tries.turn(n.life, t.rung) {
		return nil, errBetter
	}
	c, err := n.dial(n.life, t.address(), t.rung == turnRungs[2])
	if err != nil {
		n.tries.failed(t.rung, clean(err))
		return nil, err
	}
	if _, ok := c.LocalAddr().(*net.TCPAddr); !ok { // the library takes it for one
		return nil, errors.Join(fmt.Errorf("%T is no connection of TCP", c), c.Close())
	}
	s := &stream{Conn: c, net: n, turn: &allocation{rung: t.rung, net: n}}
	s.turn.ready = func() { n.use(s) }
	return s, n.keep(s, true)
}

// keep remembers a socket until it is closed.
func (n *network) keep(c closer, pending bool) error {
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.sockets[c] = pending
	}
	n.mu.Unlock()
	if closed {
		return errors.Join(errClosed, c.Close())
	}
	return nil
}

func (n *network) use(c closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, open := n.sockets[c]; open {
		n.sockets[c] = false
	}
}

func (n *network) forget(c closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.sockets, c)
}

// abandon closes what waits for the answer of a server, and opens nothing any more.
func (n *network) abandon() { n.end(true) }

// close closes what is left.
func (n *network) close() { n.end(false) }

func (n *network) end(pendingOnly bool) {
	n.mu.Lock()
	n.closed = true
	var all []closer
	for c, pending := range n.sockets {
		if pending || !pendingOnly {
			all = append(all, c)
		}
	}
	n.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // it may be closed already
	}
}

// count notes a packet that was sent.
func (n *network) count() {
	if n.sent.Add(1) >= n.budget.Load() && n.renew != nil {
		n.once.Do(n.renew)
	}
}

// clean returns an error as it is told to the other side: without addresses of this network.
func clean(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	text := err.Error()
	return text[:min(len(text), 200)]
}
