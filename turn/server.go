// Package turn is the process of the TURN server: it builds policy, sessions, data path and guard, serves the sockets of clients and does what its server asks of it
// (turn/control). It holds nothing that must outlive it.
package turn

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/internal/telemetry"
	"signalbox/turn/control"
	"signalbox/turn/datapath"
	"signalbox/turn/guard"
	"signalbox/turn/policy"
	"signalbox/turn/session"
)

// Bounds of the connections over TCP and TLS: in all, and of one source, behind which there may be a whole site.
const (
	MaxStreams         = 20_000
	MaxStreamsOfSource = 2_000
)

// Sockets are what clients come in on. Run closes them.
type Sockets struct {
	UDP     []*net.UDPConn
	TCP     []net.Listener
	Streams net.Listener // TLS connections that ended elsewhere, each behind a PROXY header: a Unix socket; nil: none
}

// Server is one TURN server.
type Server struct {
	log      *zap.Logger
	metrics  *metrics
	peers    *policy.Policy
	sessions *session.Table
	path     *datapath.Path
	guard    *guard.Guard
	secrets  atomic.Pointer[control.Secrets]
	places   *places
	streams  sync.WaitGroup // connections
	stopping chan struct{}

	told         sync.Once
	sessionsTold chan struct{} // closed when a server has told of all its sessions
}

// New builds a server, which starts nothing. The error is ErrConfig where the settings do not fit this machine.
func New(settings control.Settings, log *zap.Logger, reg prometheus.Registerer) (*Server, error) {
	return newServer(settings, control.EphemeralFile, log, reg)
}

// newServer is New with the file that says which ports the system gives away.
func newServer(settings control.Settings, ephemeral string, log *zap.Logger, reg prometheus.Registerer) (*Server, error) {
	s := &Server{log: log.Named("turn"), places: newPlaces(MaxStreams, MaxStreamsOfSource), stopping: make(chan struct{}), sessionsTold: make(chan struct{})}
	s.secrets.Store(&control.Secrets{})
	var err error
	if s.metrics, err = newMetrics(reg, s.places); err != nil {
		return nil, err
	}
	if err := checkRelay(settings.Relay); err != nil {
		return nil, err
	}
	s.peers = policy.New(policy.Config{Allow: settings.AllowPeers, Deny: settings.DenyPeers, Own: settings.Own, Local: func() []netip.Addr { return ownAddrs(settings.Relay) }})
	s.sessions = session.NewTable(limits(settings), s.peers, time.Now)
	if err := sessionMetrics(reg, s.sessions.Stats); err != nil {
		return nil, err
	}
	if s.path, err = datapath.New(dataConfig(settings), s.log, reg); err != nil {
		return nil, err
	}
	s.guard, err = guard.New(guard.Config{Realm: settings.Realm, RESTSecret: settings.RESTSecret}, s.path, s.sessions, s.currentSecrets, s.log, reg)
	if err != nil {
		return nil, err
	}
	s.path.SetControl(s.guard)
	s.warnPorts(settings, ephemeral)
	return s, nil
}

// warnPorts says so where other sockets may get relay ports from the system.
func (s *Server) warnPorts(settings control.Settings, ephemeral string) {
	low, high, overlaps := control.EphemeralOverlap(ephemeral, settings.MinPort, settings.MaxPort)
	if !overlaps {
		return
	}
	s.log.Warn("relay ports", telemetry.Detail(fmt.Sprintf(
		"the system gives ports %d to %d to any socket, and relay ports are %d to %d: now and then one will be taken; set net.ipv4.ip_local_port_range or turn.min_port and turn.max_port apart",
		low, high, settings.MinPort, settings.MaxPort)))
}

// checkRelay tries whether relay sockets can be bound.
func checkRelay(relay []control.RelayAddress) error {
	if len(relay) == 0 {
		return fmt.Errorf("%w: turn.relay_ip: there is no address for relay ports", ErrConfig)
	}
	for _, r := range relay {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.Bind, 0)))
		if err != nil {
			return fmt.Errorf("%w: turn.relay_ip: relay ports cannot be bound to %s: %w", ErrConfig, r.Bind, err)
		}
		_ = c.Close() // it was only a try
	}
	return nil
}

func dataConfig(s control.Settings) datapath.Config {
	c := datapath.Config{MinPort: uint16(s.MinPort), MaxPort: uint16(s.MaxPort)}
	for _, r := range s.Relay {
		c.Relay = append(c.Relay, datapath.RelayAddr{Bind: r.Bind, Announced: r.Announced})
	}
	return c
}

// ownAddrs returns the addresses at which the listeners of this machine can be reached: its own, and those that are announced for it.
func ownAddrs(relay []control.RelayAddress) (all []netip.Addr) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // a policy without addresses closes the ports on all
	}
	for _, r := range relay {
		all = append(all, r.Announced)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr().Unmap())
		}
	}
	return all
}

// Run serves clients until ctx is done. Then it closes all sockets, and returns when nothing of it runs any more.
func (s *Server) Run(ctx context.Context, in Sockets) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		<-ctx.Done()
		close(s.stopping)
		in.close()
		return nil
	})
	parts.Go(func() error { s.sessions.Run(ctx); return nil })
	parts.Go(func() error { return s.path.Run(ctx) })
	parts.Go(func() error { return s.guard.Run(ctx) })
	for _, c := range in.UDP {
		parts.Go(func() error {
			if err := s.path.ServeUDP(ctx, c); ctx.Err() == nil {
				return err
			}
			return nil // the socket is closed because it is to end
		})
	}
	for _, ln := range in.TCP {
		parts.Go(func() error { s.accept(ln, func(c net.Conn) { s.direct(ctx, c) }); return nil })
	}
	if in.Streams != nil {
		parts.Go(func() error { return control.ServeStreams(ctx, in.Streams, s.Stream) })
	}
	err := parts.Wait()
	s.streams.Wait()
	if err != nil {
		return fmt.Errorf("TURN server: %w", err)
	}
	return nil
}

func (in Sockets) close() {
	for _, c := range in.UDP {
		_ = c.Close() // a datagram socket holds nothing back
	}
	for _, ln := range in.TCP {
		_ = ln.Close() // what waits in it is another process's
	}
	if in.Streams != nil {
		_ = in.Streams.Close() // as above
	}
}

// direct serves a client that connected to us itself.
func (s *Server) direct(ctx context.Context, c net.Conn) {
	s.serve(ctx, c, datapath.TCP, addrPort(c.LocalAddr()), addrPort(c.RemoteAddr()))
}

// Stream serves a client whose connection another process accepted and decrypted. It returns when the stream has ended, and closes it. It is a control.StreamHandler.
func (s *Server) Stream(ctx context.Context, c net.Conn, local, remote netip.AddrPort) {
	s.serve(ctx, c, datapath.TLS, local, remote)
}

func (s *Server) serve(ctx context.Context, c net.Conn, t datapath.Transport, local, remote netip.AddrPort) {
	defer c.Close()
	release, why := s.places.take(remote.Addr())
	if why != "" {
		s.metrics.refused.WithLabelValues(why).Inc()
		return
	}
	defer release()
	s.path.ServeStream(ctx, c, t, local, remote)
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
