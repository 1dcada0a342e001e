package turn

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/internal/listen"
	"signalbox/internal/telemetry"
	"signalbox/turn/control"
)

// AloneConfig is the configuration of a TURN server that runs by itself.
type AloneConfig struct {
	control.Config
	Listen []string // UDP and TCP, as listen.turn has it
	TLS    []string // listen.tls: UDP there, too, if Config.UDP443 says so
}

// Alone is a TURN server that runs by itself. It is a notify.Program.
type Alone struct {
	AloneConfig
	log *zap.Logger
	reg *prometheus.Registry

	ready    chan struct{}
	stopping <-chan struct{} // this and what follows is set before ready is closed
	server   *Server
	udp      []netip.AddrPort // where it takes datagrams
}

// NewAlone makes a TURN server, which starts nothing.
func NewAlone(cfg AloneConfig, log *zap.Logger, reg *prometheus.Registry) *Alone {
	return &Alone{AloneConfig: cfg, log: log, reg: reg, ready: make(chan struct{})}
}

// Run runs the server until ctx is done. Other servers control it at control.listen. Errors of the configuration are ErrConfig. It is called once.
func (a *Alone) Run(ctx context.Context) error {
	if a.Control.Listen == "" && a.RESTSecretFile == "" {
		return fmt.Errorf("%w: turn.control.listen: must be set, as nobody could open sessions; or turn.rest_secret_file for clients of other systems alone", ErrConfig)
	}
	in, where, err := a.open(ctx)
	if err != nil {
		return err
	}
	s, gateway, err := a.build(where)
	if err != nil {
		in.close()
		return err
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return s.runAlone(ctx, in) })
	for _, w := range where {
		a.log.Info("listening", telemetry.Listener("turn "+string(w.Kind), w.Addr))
	}
	parts.Go(func() error {
		if gateway == nil {
			a.serves(ctx, s, where)
			return nil
		}
		return a.control(ctx, gateway, func() { a.serves(ctx, s, where) })
	})
	return parts.Wait()
}

// serves makes the server ready, which it is until ctx is done.
func (a *Alone) serves(ctx context.Context, s *Server, where []control.Socket) {
	a.stopping, a.server = ctx.Done(), s
	for _, w := range where {
		if w.Kind == control.SocketUDP {
			a.udp = append(a.udp, netip.MustParseAddrPort(w.Addr))
		}
	}
	close(a.ready)
}

// build makes the server and, if others control it, its gateway.
func (a *Alone) build(where []control.Socket) (*Server, *control.Gateway, error) {
	listens := make([]netip.AddrPort, 0, len(where)+1)
	for _, w := range where {
		listens = append(listens, netip.MustParseAddrPort(w.Addr)) // as package net wrote it
	}
	own := listens
	if at, err := net.ResolveTCPAddr("tcp", a.Control.Listen); err == nil && a.Control.Listen != "" {
		own = append(own, addrPort(at))
	}
	settings, err := a.Settings(listens, own)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: turn.%w", ErrConfig, err)
	}
	s, err := New(settings, a.log, a.reg)
	if err != nil || a.Control.Listen == "" {
		return s, nil, err
	}
	gateway, err := control.NewGateway(a.Control, control.NewServer(s, a.reg, where, a.log), s.Stream, a.log)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: turn.%w", ErrConfig, err)
	}
	return s, gateway, nil
}

// control lets others control the server until ctx is done. The function open is called once they can connect.
func (a *Alone) control(ctx context.Context, gateway *control.Gateway, open func()) error {
	l, err := listen.OpenTCP(ctx, "turn.control.listen", []string{a.Control.Listen})
	if err != nil {
		return err
	}
	a.log.Info("listening", telemetry.Listener("turn.control", l[0].Addr().String()))
	open()
	return gateway.Serve(ctx, l[0])
}

// open opens all sockets of clients, or none.
func (a *Alone) open(ctx context.Context) (in Sockets, where []control.Socket, err error) {
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	if in.TCP, err = listen.OpenTCP(ctx, "listen.turn", a.Listen); err != nil {
		return in, nil, err
	}
	for _, ln := range in.TCP {
		where = append(where, control.Socket{Kind: control.SocketTCP, Addr: ln.Addr().String()})
	}
	udp := a.Listen
	if a.UDP443 {
		udp = append(udp[:len(udp):len(udp)], a.TLS...)
	}
	if in.UDP, err = listen.OpenUDP(ctx, "listen.turn", udp); err != nil {
		return in, nil, err
	}
	for _, c := range in.UDP {
		where = append(where, control.Socket{Kind: control.SocketUDP, Addr: c.LocalAddr().String()})
	}
	return in, where, nil
}
