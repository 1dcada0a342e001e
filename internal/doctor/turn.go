package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"syscall"

	"signalbox/turn/control"
)

// alpnTURN is the protocol of TURN over TLS (RFC 7443).
const alpnTURN = "stun.turn"

// turnAway is what to do where the port is open and nobody answers.
const turnAway = "see turn at /readyz, and in the server's log why the TURN process ends or does not start; a firewall of this machine may drop it, too"

// turn is the step turn: does everything that clients are told of answer, and can what is relayed be reached?
func (x *examination) turn(ctx context.Context) {
	cfg := x.Config.TURN.Control
	switch {
	case x.Outside != nil:
		x.turnRungs(ctx, x.turnPorts())
	case cfg.URL != "":
		x.turnElsewhere(ctx, cfg)
		x.turnRungs(ctx, nil)
	case len(x.Config.Listen.TURN) == 0:
		x.well("listen.turn", "TURN is off: clients that have no direct way to each other do not get through", `set listen.turn to [":3478"], or turn.servers to servers of others`)
	default:
		x.turnRungs(ctx, x.turnPorts())
		x.relay()
	}
	x.otherServers(ctx)
}

// turnPorts returns the listeners of the TURN process.
func (x *examination) turnPorts() []port {
	udp := x.Config.Listen.TURN
	if x.Config.TURN.UDP443 {
		udp = append(udp[:len(udp):len(udp)], x.Config.Listen.TLS...)
	}
	return append(on("udp", x.ports("listen.turn UDP", udp, x.Running["turn_udp"], false)), on("tcp", x.ports("listen.turn TCP", x.Config.Listen.TURN, x.Running["turn_tcp"], false))...)
}

func on(network string, ports []port) []port {
	for i := range ports {
		ports[i].network = network
	}
	return ports
}

// turnRungs asks each of ports, and TURN over TLS on the shared port, at which address it sees us, and relays through them.
func (x *examination) turnRungs(ctx context.Context, ports []port) {
	if x.hasDomain() {
		_ = x.survey() // for why ports are closed; the step tls tells the rest
		ports = append(ports, x.ports("listen.tls", x.Config.Listen.TLS, x.Running["tls"], false)...)
	}
	x.visitPorts(ports, func(p port) *trouble {
		if p.network == "" {
			return x.turnOverTLS(ctx, p)
		}
		return x.turnPlain(ctx, p)
	})
	x.relaying(ctx, ports)
}

// turnPlain asks over UDP or TCP.
func (x *examination) turnPlain(ctx context.Context, p port) *trouble {
	conn, err := x.connect(ctx, p.network, p.addr)
	if err != nil {
		return notReached(err)
	}
	defer conn.Close()
	t := x.seen(ctx, p.String(), conn)
	if t != nil && !t.closed {
		x.wrong(t.code, p.String(), t.detail, t.action)
		return nil
	}
	return t
}

// turnOverTLS asks as clients do that name the protocol, and as those that leave it to the first byte.
func (x *examination) turnOverTLS(ctx context.Context, p port) *trouble {
	for _, alpn := range [][]string{{alpnTURN}, nil} {
		conn, t := x.secure(ctx, p, alpn)
		if t != nil && t.closed {
			return t
		}
		check := p.String() + ", TURN " + offered(p, alpn)
		if t == nil {
			t = x.turnSecured(ctx, check, conn, alpn)
			_ = conn.Close() // all is known
		}
		if t != nil {
			x.wrong(t.code, check, t.detail, t.action)
		}
	}
	return nil
}

// turnSecured asks over a connection with TLS.
func (x *examination) turnSecured(ctx context.Context, check string, conn *tls.Conn, alpn []string) *trouble {
	state := conn.ConnectionState()
	if t := x.judge(state); t != nil {
		return t
	}
	if len(alpn) > 0 && state.NegotiatedProtocol != alpn[0] {
		return foreign("does not take the protocol " + alpn[0])
	}
	return x.seen(ctx, check, conn)
}

// seen asks over a connection at which address we are seen, and tells it.
func (x *examination) seen(ctx context.Context, check string, conn net.Conn) *trouble {
	mapped, err := x.bind(ctx, conn)
	if err != nil {
		return notBound(err)
	}
	if own := addrPortOf(conn.LocalAddr()); mapped != own {
		x.warn(TURNTranslated, check, "answers, and sees us at "+mapped.String()+" where we are "+own.String()+": something in between changes addresses",
			"let clients reach TURN without a proxy or a container's network in between: they are told where they are seen, and sessions are opened for addresses at which their parties are seen")
		return nil
	}
	x.well(check, "answers, and sees us where we are", "")
	return nil
}

// notBound says why a listener of ours did not answer a Binding.
func notBound(err error) *trouble {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return notReached(err)
	case isTimeout(err):
		return &trouble{code: TURNSilent, detail: "the port is open, and no Binding is answered", action: turnAway}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &trouble{code: TURNHangsUp, detail: "closes the connection without an answer", action: turnAway}
	}
	return foreign(err.Error())
}

// turnElsewhere looks whether the TURN server on another host can be reached. Its own listeners are for the doctor there.
func (x *examination) turnElsewhere(ctx context.Context, cfg control.Remote) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return // a mistake of the configuration
	}
	conn, err := x.connect(ctx, "tcp", u.Host)
	if err != nil {
		x.wrong(TURNAway, cfg.URL, "the TURN server cannot be reached: "+err.Error(), "start signalbox turn there, and let firewalls pass the port; turn.control.listen there must be the address in turn.control.url")
		return
	}
	_ = conn.Close() // it was only a try
	x.well(cfg.URL, "can be connected to", "run signalbox doctor turn on that host, too, for its ports and addresses")
}

func addrPortOf(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		p = a.AddrPort()
	case *net.TCPAddr:
		p = a.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}
