package doctor

import (
	"context"
	"crypto/tls"
	"strings"

	"signalbox/xmpp"
)

// streams is the step xmpp: is nothing unsafe configured, and does each open port answer a client's stream with what it needs to log in?
func (x *examination) streams(ctx context.Context) {
	if addr := x.Config.XMPP.InsecurePlaintext; addr != "" {
		x.wrong(PlainLogin, "xmpp.insecure_plaintext", "unsafe: clients log in without TLS on "+addr+", and secrets cross it in clear",
			"empty xmpp.insecure_plaintext and restart the server")
	}
	if x.Config.XMPP.Routing == xmpp.RoutingOpen {
		x.warn(RoutingOpen, "xmpp.routing", "is open: every account may write to every other one", "set it to managed, unless people are meant to talk over this server")
	} else {
		x.well("xmpp.routing", "is managed: endpoints talk to the server alone", "")
	}
	if !x.hasDomain() {
		return
	}
	_ = x.survey() // for why ports are closed; the step tls tells the rest
	x.visitStreams(func(p port) *trouble { return x.stream(ctx, p) })
}

// stream looks at what one port offers, in plain text where it begins so, then over TLS, on the shared port by WebSocket, too.
func (x *examination) stream(ctx context.Context, p port) *trouble {
	if p.startTLS {
		t := x.plainFeatures(ctx, p)
		if t != nil && t.closed {
			return t
		}
		if t != nil {
			x.wrong(t.code, p.String()+", before TLS", t.detail, t.action)
			return nil
		}
		x.well(p.String()+", before TLS", "offers STARTTLS, and no login in plain text", "")
	}
	conn, t := x.secure(ctx, p, []string{alpnClient})
	if t != nil && t.closed {
		return t
	}
	var f features
	if t == nil {
		f, t = loginFeatures(conn, x.Config.Domain)
	}
	if t != nil {
		x.wrong(t.code, p.String()+", over TLS", t.detail, t.action)
		return nil
	}
	x.well(p.String()+", over TLS", "offers logins by "+strings.Join(f.mechanisms, ", "), "")
	if !p.startTLS {
		x.upgrade(ctx, p)
	}
	return nil
}

// plainFeatures asks a port what it offers before TLS: nothing that a secret could be spent on.
func (x *examination) plainFeatures(ctx context.Context, p port) *trouble {
	conn, t := x.dial(ctx, p)
	if t != nil {
		return t
	}
	defer conn.Close()
	f, t := converse(conn).open(x.Config.Domain)
	switch {
	case t != nil:
		return t
	case len(f.mechanisms) > 0 || f.sasl2:
		return &trouble{code: PlainLogin, detail: "unsafe: offers logins before TLS", action: "see which program has the port (ss -ltnp): this server never does that"}
	case !f.startTLS:
		return foreign("offers no STARTTLS")
	}
	return nil
}

// loginFeatures asks over TLS what is offered, and closes the connection.
func loginFeatures(conn *tls.Conn, domain string) (features, *trouble) {
	defer conn.Close()
	f, t := converse(conn).open(domain)
	if t == nil && len(f.mechanisms) == 0 {
		t = &trouble{code: NoMechanism, detail: "offers no mechanism for logins", action: "see the server's log; another program may have the port (ss -ltnp)"}
	}
	return f, t
}
