package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"signalbox/certs"
	"signalbox/internal/link"
	"signalbox/internal/telemetry"
)

// policies are the two ways in which a listener makes handshakes.
type policies struct {
	plain  *certs.Policy // no client certificate: browsers would ask their users
	always bool          // a client certificate is asked for whatever the client's ALPN

	asking atomic.Pointer[certs.Policy] // asks for one of the authorities in force; it may be missing. nil until it is needed
}

// newPolicies offers these protocols by ALPN, in this order of preference.
func newPolicies(offered []Protocol, always bool) *policies {
	var names []string
	for _, p := range offered {
		names = append(names, p.alpn())
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	return &policies{plain: &certs.Policy{ALPN: names}, always: always}
}

// choose returns the policy for a client's hello; ca is nil if no client certificates are taken.
func (p *policies) choose(hello *tls.ClientHelloInfo, ca *certs.ClientCA) *certs.Policy {
	asksXMPP := slices.Contains(hello.SupportedProtos, XMPP.alpn()) && slices.Contains(p.plain.ALPN, XMPP.alpn())
	if ca == nil || !p.always && !asksXMPP {
		return p.plain
	}
	pool, asking := ca.Pool(), p.asking.Load()
	if asking == nil || asking.ClientCAs != pool {
		// A certificate that does not count must not end the handshake: there are other ways to log in. So it is verified afterwards.
		asking = &certs.Policy{ALPN: p.plain.ALPN, ClientAuth: tls.RequestClientCert, ClientCAs: pool}
		p.asking.Store(asking)
	}
	return asking
}

// accepts reports whether the handshake can agree on a protocol, as crypto/tls decides it: a client without ALPN, or a server
// that offers none, needs none.
func (p *policies) accepts(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 0 || len(p.plain.ALPN) == 0 ||
		slices.ContainsFunc(hello.SupportedProtos, func(n string) bool { return slices.Contains(p.plain.ALPN, n) })
}

// secure makes the handshake and finds the protocol, by ALPN or by the first decrypted byte.
func (v *visit) secure(ctx context.Context) error {
	secured, facts, err := v.server.handshake(ctx, v.c, v.port.policies)
	if err != nil {
		return err
	}
	v.out, v.tls = secured, facts
	if err := v.verifyComponent(secured); err != nil {
		return err
	}
	if facts.ALPN != "" {
		return v.chooseALPN(facts.ALPN)
	}
	if err := v.c.SetDeadline(time.Now().Add(v.server.cfg.FirstByteTimeout)); err != nil {
		return refuse(ClosedEarly, err)
	}
	var first [1]byte
	if _, err := secured.Read(first[:]); err != nil {
		return refuse(silence(err), err)
	}
	v.out = &sniffed{Conn: secured, first: first[0]}
	return v.choose(true, first[0])
}

func (v *visit) chooseALPN(name string) error {
	for _, p := range v.port.speaks {
		if p.alpn() == name {
			return v.take(p)
		}
	}
	return refuse(UnknownProtocol, nil)
}

// handshake waits for the connection's turn and makes the TLS handshake. On failure c is left open.
func (s *Server) handshake(ctx context.Context, c *conn, p *policies) (*tls.Conn, link.TLS, error) {
	if err := s.turn(ctx, c.source()); err != nil {
		return nil, link.TLS{}, err
	}
	defer s.queue.leave()
	if err := c.SetDeadline(time.Now().Add(s.cfg.HandshakeTimeout)); err != nil {
		return nil, link.TLS{}, refuse(ClosedEarly, err)
	}
	c.work = &work{gate: s.gate, source: c.source()}
	c.work.enter()
	defer func() {
		c.work.gate.leave()
		c.work = nil
	}()
	start := time.Now()
	mismatch := false
	var asked Hello
	h := s.certs.Handshake(func(hello *tls.ClientHelloInfo) *certs.Policy {
		mismatch = !p.accepts(hello)
		asked.read(hello)
		return p.choose(hello, s.clients)
	})
	// The deadline on c bounds it. A context with an end would cost a goroutine per handshake.
	secured, err := h.Server(context.WithoutCancel(ctx), c)
	if err != nil {
		how := c.work.refusedBy(err)
		if how != "" {
			s.refused(c, how, err)
		}
		reason := handshakeReason(err, asked, mismatch)
		if reason == HandshakeTimeout && c.work.waited > s.cfg.HandshakeTimeout/2 {
			reason = QueueTimeout // the time went by here, not at the client
		}
		return nil, link.TLS{}, &refusal{reason, err, &handshakeFacts{how, asked, shown(h.Leaf())}}
	}
	facts, err := tlsFacts(secured, h.Leaf())
	if err != nil {
		return nil, link.TLS{}, refuse(HandshakeFailed, err)
	}
	if shown := secured.ConnectionState().PeerCertificates; len(shown) > 0 {
		facts.Client = s.verifyClient(c, shown)
	}
	s.metrics.tookHandshake(time.Since(start))
	return secured, facts, nil
}

// verifyClient returns what the client's certificate says, nothing if it does not count: then there are other ways to log in.
func (s *Server) verifyClient(c *conn, shown []*x509.Certificate) link.Client {
	if s.clients == nil {
		return link.Client{}
	}
	client, err := s.clients.Verify(shown, time.Now())
	if err != nil {
		s.metrics.clients.WithLabelValues(clientRefused).Inc()
		s.log.Debug("client certificate does not count", telemetry.Remote(c.remote), telemetry.Cause(err))
		return link.Client{}
	}
	s.metrics.clients.WithLabelValues(clientVerified).Inc()
	return client
}

// turn waits for a place among the handshakes.
func (s *Server) turn(ctx context.Context, source netip.Addr) error {
	if s.queue.tryEnter() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueueTimeout)
	defer cancel()
	err := s.queue.enter(ctx, source)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errQueueFull):
		return refuse(QueueFull, err)
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(QueueTimeout, err)
	}
	return refuse(Stopping, err)
}

func handshakeReason(err error, asked Hello, mismatch bool) Reason {
	switch {
	case errors.Is(err, certs.ErrUnknownName):
		return SNIUnknown
	case asked.MaxVersion != 0 && asked.MaxVersion < tls.VersionTLS12:
		return TLSTooOld
	case errors.Is(err, os.ErrDeadlineExceeded):
		return HandshakeTimeout
	case mismatch:
		return ALPNMismatch
	}
	return HandshakeFailed
}

// exporterLabel and exporterSize are those of the channel binding tls-exporter, RFC 9266 section 2.
const (
	exporterLabel = "EXPORTER-Channel-Binding"
	exporterSize  = 32
)

// tlsFacts copies what the protocols need out of the TLS state.
func tlsFacts(c *tls.Conn, leaf *certs.Leaf) (link.TLS, error) {
	cs := c.ConnectionState()
	t := link.TLS{
		Version: cs.Version, ServerName: cs.ServerName, ALPN: cs.NegotiatedProtocol, Resumed: cs.DidResume,
		Leaf: leaf.SHA256, EndPoint: leaf.EndPoint,
	}
	if cs.Version < tls.VersionTLS13 {
		return t, nil // there the exporter binds nothing without the extended master secret
	}
	var err error
	t.Exporter, err = cs.ExportKeyingMaterial(exporterLabel, nil, exporterSize)
	return t, err
}
