package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/internal/api"
	"signalbox/internal/listen"
	"signalbox/turn/control"
)

// The names of TURN's listeners in the ready file and in the log.
const (
	nameTURNUDP = "turn_udp"
	nameTURNTCP = "turn_tcp"
)

// addTURN adds the addresses of TURN's listeners.
func (a *App) addTURN(addrs map[string][]string) {
	names := map[control.SocketKind]string{control.SocketUDP: nameTURNUDP, control.SocketTCP: nameTURNTCP}
	for _, socket := range a.turnSockets.List() {
		if name := names[socket.Kind]; name != "" {
			addrs[name] = append(addrs[name], socket.Addr)
		}
	}
}

// SetTURNProgram has the TURN process started from a program, with its arguments, instead of this one: for servers inside other programs. It must be called
// before Run.
func (a *App) SetTURNProgram(program ...string) {
	if a.turn != nil {
		a.turn.SetProgram(program...)
	}
}

// buildTURN builds what keeps a TURN process at work, if there shall be one.
func (a *App) buildTURN() (err error) {
	if len(a.cfg.Listen.TURN) == 0 && a.cfg.TURN.Control.URL == "" {
		return nil
	}
	a.turn, err = control.New(a.cfg.TURN.Own, a.identity.Public().String(), a.log, a.registry)
	if err != nil {
		a.turn = nil
		return fmt.Errorf("%w: turn.%w", ErrConfig, err)
	}
	a.listen.Register(listen.TURN, a.turn)
	return nil
}

// openTURN opens the sockets of TURN, unless its process is on another host. All others must be open: peers may not be any of them.
func (a *App) openTURN(ctx context.Context) error {
	if a.turn == nil {
		return nil
	}
	if a.cfg.TURN.Control.URL == "" {
		if err := a.openTURNSockets(ctx); err != nil {
			return err
		}
	} else {
		a.turn.Protect(a.ownAddrs())
	}
	a.turn.Announce(a.publicName(), a.listen.Addrs()["tls"])
	return nil
}

func (a *App) openTURNSockets(ctx context.Context) error {
	var err error
	for _, addr := range a.cfg.Listen.TURN {
		if err = a.openBoth(ctx, addr); err != nil {
			return err
		}
	}
	if a.cfg.TURN.UDP443 {
		if err := a.openUDP(ctx, "turn.udp_443", a.listen.Addrs()["tls"]); err != nil {
			return err
		}
	}
	settings, err := a.cfg.TURN.Settings(a.turnAddrs(), a.ownAddrs())
	if err != nil {
		return fmt.Errorf("%w: turn.%w", ErrConfig, err)
	}
	settings.LogLevel, settings.LogFormat = a.cfg.Log.Level, a.cfg.Log.Format
	if err := a.turnSockets.AddStreams(a.cfg.DataDir); err != nil {
		return err
	}
	a.turn.UseChild(settings, &a.turnSockets)
	return nil
}

// samePort is how often a free port of TCP is tried with UDP.
const samePort = 16

// openBoth opens TCP and UDP on one address. A free port is the same for both.
func (a *App) openBoth(ctx context.Context, addr string) error {
	for attempt := 1; ; attempt++ {
		opened, err := listen.OpenTCP(ctx, "listen.turn", []string{addr})
		if err != nil {
			return err
		}
		tcp := opened[0].(*net.TCPListener)
		err = a.openUDP(ctx, "listen.turn", []string{withPort(addr, tcp)})
		switch {
		case err == nil:
			return a.turnSockets.AddTCP(tcp)
		case attempt == samePort || !strings.HasSuffix(addr, ":0"):
			return errors.Join(err, tcp.Close())
		}
		_ = tcp.Close() // another one is tried
	}
}

// withPort returns the address with the port that a listener on it got.
func withPort(addr string, l *net.TCPListener) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return net.JoinHostPort(host, strconv.Itoa(int(l.Addr().(*net.TCPAddr).AddrPort().Port())))
}

func (a *App) openUDP(ctx context.Context, key string, addrs []string) error {
	opened, err := listen.OpenUDP(ctx, key, addrs)
	for _, c := range opened {
		err = errors.Join(err, a.turnSockets.AddUDP(c))
	}
	return err
}

// turnAddrs are the addresses on which clients reach TURN.
func (a *App) turnAddrs() []netip.AddrPort {
	var own []string
	for _, s := range a.turnSockets.List() {
		own = append(own, s.Addr)
	}
	return parseAddrs(own)
}

// ownAddrs are the addresses of all listeners, which no peer of TURN may be. The database is a file.
func (a *App) ownAddrs() []netip.AddrPort {
	var own []string
	for _, addrs := range a.Addrs() {
		own = append(own, addrs...)
	}
	return parseAddrs(own)
}

func parseAddrs(texts []string) (addrs []netip.AddrPort) {
	for _, text := range texts {
		if addr, err := netip.ParseAddrPort(text); err == nil {
			addrs = append(addrs, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
		}
	}
	return addrs
}

// publicName is the name under which clients reach this server.
func (a *App) publicName() string {
	if u, err := url.Parse(a.websocketURL()); err == nil {
		return u.Hostname()
	}
	return a.cfg.Domain
}

// keepTURN keeps the TURN process at work.
func (a *App) keepTURN(ctx context.Context) error {
	if a.turn != nil {
		return a.turn.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

func (a *App) turnMetrics() []prometheus.Gatherer {
	if a.turn == nil {
		return nil
	}
	return []prometheus.Gatherer{a.turn}
}

func (a *App) reloadTURN() error {
	if a.turn == nil {
		return nil
	}
	if err := a.turn.Reload(); err != nil {
		return fmt.Errorf("turn.%w", err)
	}
	return nil
}

// turnCheck says whether the TURN process is there. It is no condition of readiness: endpoints are served without it.
func (h health) turn() []api.Check {
	if h.app.turn == nil {
		return nil
	}
	check := api.Check{Name: "turn", OK: true}
	if err := h.app.turn.Away(); err != nil {
		check.Reason = err.Error()
	}
	return []api.Check{check}
}
