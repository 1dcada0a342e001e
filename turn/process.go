package turn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"signalbox/internal/listen"
	"signalbox/internal/telemetry"
	"signalbox/turn/control"
)

// ErrConfig marks what the operator has to change before a TURN server can start.
var ErrConfig = errors.New("the configuration of the TURN server cannot be used")

// Supervised is the TURN process as serve starts it, with what it inherits. It ends when the control connection does, so that no orphan holds the sockets, or when
// ctx is done. It serves clients once it knows the sessions that are open: after a restart nobody is refused who has one.
func Supervised(ctx context.Context, in *control.Inherited, log *zap.Logger, reg *prometheus.Registry) error {
	s, err := New(in.Settings, log, reg)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	server := control.NewServer(s, reg, in.Settings.Sockets, log)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts errgroup.Group
	parts.Go(func() error {
		defer cancel()
		return server.Serve(ctx, in.Control)
	})
	parts.Go(func() error {
		defer cancel()
		select {
		case <-s.sessionsTold:
		case <-ctx.Done():
		}
		return s.runAlone(ctx, Sockets{UDP: in.UDP, TCP: in.TCP, Streams: in.Streams})
	})
	return parts.Wait()
}

// runAlone is Run in a process that does nothing else: there each goroutine that waits for packets by a blocking call of its own (turn/batch) gets a place beside those
// that the runtime counts on. Without it the runtime's monitor takes the place away 20 us into every wait and gives it back behind it, which costs more than a packet does.
func (s *Server) runAlone(ctx context.Context, in Sockets) error {
	const relays = 1 // one waits for all relay sockets
	usual := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(usual + len(in.UDP) + relays)
	defer runtime.GOMAXPROCS(usual)
	return s.Run(ctx, in)
}

// Alone is the configuration of a TURN server that runs by itself.
type Alone struct {
	control.Config
	Listen []string // UDP and TCP, as listen.turn has it
	TLS    []string // listen.tls: UDP there, too, if Config.UDP443 says so
}

// Run runs a TURN server by itself until ctx is done. Other servers control it at control.listen. Errors of the configuration are ErrConfig.
func (a Alone) Run(ctx context.Context, log *zap.Logger, reg *prometheus.Registry) error {
	if a.Control.Listen == "" && a.RESTSecretFile == "" {
		return fmt.Errorf("%w: turn.control.listen: must be set, as nobody could open sessions; or turn.rest_secret_file for clients of other systems alone", ErrConfig)
	}
	in, where, err := a.open(ctx)
	if err != nil {
		return err
	}
	s, gateway, err := a.build(where, log, reg)
	if err != nil {
		in.close()
		return err
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return s.runAlone(ctx, in) })
	if gateway != nil {
		parts.Go(func() error { return a.control(ctx, gateway, log) })
	}
	for _, w := range where {
		log.Info("listening", telemetry.Listener("turn "+string(w.Kind), w.Addr))
	}
	return parts.Wait()
}

// build makes the server and, if others control it, its gateway.
func (a Alone) build(where []control.Socket, log *zap.Logger, reg *prometheus.Registry) (*Server, *control.Gateway, error) {
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
	s, err := New(settings, log, reg)
	if err != nil || a.Control.Listen == "" {
		return s, nil, err
	}
	gateway, err := control.NewGateway(a.Control, control.NewServer(s, reg, where, log), s.Stream, log)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: turn.%w", ErrConfig, err)
	}
	return s, gateway, nil
}

func (a Alone) control(ctx context.Context, gateway *control.Gateway, log *zap.Logger) error {
	l, err := listen.OpenTCP(ctx, "turn.control.listen", []string{a.Control.Listen})
	if err != nil {
		return err
	}
	log.Info("listening", telemetry.Listener("turn.control", l[0].Addr().String()))
	return gateway.Serve(ctx, l[0])
}

// open opens all sockets of clients, or none.
func (a Alone) open(ctx context.Context) (in Sockets, where []control.Socket, err error) {
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
