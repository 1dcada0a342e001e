package doctor

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"signalbox/certs"
)

// port is one address at which clients are served.
type port struct {
	key       string // of the configuration, such as listen.tls
	network   string // udp or tcp, of TURN's own listeners; empty: tcp, on which protocols are told apart
	addr      string // where it is
	startTLS  bool   // TLS begins after the stream's <starttls/>
	announced bool   // a server that runs says that it listens there
}

func (p port) String() string { return p.key + " " + p.addr }

// trouble is why a port is not as it should be.
type trouble struct {
	code           Code
	detail, action string
	closed         bool // nothing listens there
}

// visitStreams has each port looked at that endpoints may come to.
func (x *examination) visitStreams(visit func(port) *trouble) {
	x.visitPorts(append(x.ports("listen.tls", x.Config.Listen.TLS, x.Running["tls"], false), x.ports("listen.xmpp", x.Config.Listen.XMPP, x.Running["xmpp"], true)...), visit)
}

// visitPorts has ports looked at. Closed ports of a server that does not run are no mistake; visit returns what is wrong with one.
func (x *examination) visitPorts(ports []port, visit func(port) *trouble) {
	var idle []string
	alive := false
	for _, p := range ports {
		switch t := visit(p); {
		case t != nil && t.closed && !p.announced:
			idle = append(idle, p.String())
		case t != nil && t.closed:
			x.wrong(t.code, p.String(), t.detail, t.action)
		default:
			alive = true
		}
	}
	switch {
	case len(idle) == 0:
		if len(ports) == 0 && x.Running == nil {
			x.warn(ServerDown, "server", "the server does not run: its ports were not tried", "start it, and ask again")
		}
	case alive:
		x.wrong(PortClosed, strings.Join(idle, ", "), "nothing listens there", "restart the server, and see in its log whether it could open the port")
	default:
		x.warn(ServerDown, "server", "the server does not run: nothing listens on "+strings.Join(idle, ", "), "start it, and ask again")
	}
}

// ports returns the addresses to try: those that a running server announces for the configured ones, else the configured ones themselves, but for ports that are only
// chosen at the start.
func (x *examination) ports(key string, configured, announced []string, startTLS bool) (ports []port) {
	for i, c := range configured {
		_, number, err := net.SplitHostPort(c)
		if err != nil {
			continue // a mistake of the configuration
		}
		switch {
		case x.Outside != nil:
			ports = append(ports, port{key: key, addr: x.at(c), startTLS: startTLS, announced: true})
		case x.Running == nil && number != "0":
			ports = append(ports, port{key: key, addr: c, startTLS: startTLS})
		case x.Running == nil:
		case i < len(announced) && (number == "0" || strings.HasSuffix(announced[i], ":"+number)):
			ports = append(ports, port{key: key, addr: announced[i], startTLS: startTLS, announced: true})
		default:
			x.wrong(PortNotTaken, key+" "+c, "the running server does not listen there", "restart the server, so that it takes the configuration as it is now")
		}
	}
	return ports
}

// dial connects to a port behind which a proxy may stand.
func (x *examination) dial(ctx context.Context, p port) (net.Conn, *trouble) {
	conn, err := x.connect(ctx, "tcp", p.addr)
	if err != nil {
		return nil, x.unreachable(err)
	}
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok && x.Outside == nil && x.Config.Listen.Trusts(local.AddrPort().Addr()) {
		if _, err = conn.Write([]byte("PROXY UNKNOWN\r\n")); err != nil { // as a proxy's own health check
			_ = conn.Close() // it is broken already
			return nil, unanswered(err)
		}
	}
	return conn, nil
}

// connect makes a connection, which ends with patience, whatever is done with it. An address without a host, or with that for all addresses, is this machine.
func (x *examination) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: x.patience, Resolver: x.Resolver}
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(x.patience)); err != nil {
		_ = conn.Close() // it is broken already
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // whoever asked does not wait any longer
	return conn, nil
}

// unreachable says why there is no connection to a port that is closed while there is no good certificate.
func (x *examination) unreachable(err error) *trouble {
	if errors.Is(err, syscall.ECONNREFUSED) && x.expired() != "" {
		return &trouble{PortClosed, "nothing listens there: " + x.expired(), "install a bundle that is valid now; the server opens the port by itself", true}
	}
	return notReached(err)
}

// notReached says why there is no connection.
func notReached(err error) *trouble {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &trouble{PortClosed, "nothing listens there: connection refused", "start the server; if it runs, see in its log why it could not open the port", true}
	case isTimeout(err):
		return &trouble{PortFiltered, "no connection in time", "let the firewalls of this machine and in between pass the port; see whether the server is overloaded", false}
	}
	return &trouble{PortUnreachable, "no connection: " + err.Error(), "set the key to an address that this machine has", false}
}

// expired says why a server keeps its ports closed, or nothing.
func (x *examination) expired() string {
	for _, f := range x.report.Files {
		if f.Required && f.Outcome == certs.Loaded && len(f.Problems) > 0 {
			return "a server keeps its ports closed while " + f.Problems[0].Detail
		}
	}
	return ""
}

// unanswered says why a conversation with a port did not get on.
func unanswered(err error) *trouble {
	if isTimeout(err) {
		return &trouble{code: PortSilent, detail: "does not answer in time", action: "see whether another program has the port (ss -ltnp), or the server is overloaded"}
	}
	return &trouble{
		code:   PortHangsUp,
		detail: "closes the connection without an answer: " + err.Error(),
		action: "see whether another program has the port (ss -ltnp); listen.trusted_proxies and the limits of listen close connections too",
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}
