package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"mellium.im/sasl"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"

	"signalbox/xmpp/scan"
)

// Errors of a login. They are wrapped with what the server said.
var (
	errAuth         = errors.New("login was refused")
	errNoManagement = errors.New("the server offers no stream management (XEP-0198), without which no result is ever known to have arrived")
)

// login is what a session needs to prove who the agent is.
type login struct {
	jid        jid.JID // bare: mellium v0.22.0 sends an empty resource when it is asked for one, so the server chooses
	secret     string
	tls        *tls.Config
	allowPlain bool
}

// stream is a connection on which a resource is bound.
type stream struct {
	conn net.Conn
	in   *reader
	jid  jid.JID // full
}

// negotiate logs in on conn, which has TLS already if direct is set. The caller closes conn if it fails.
func (l login) negotiate(ctx context.Context, conn net.Conn, direct bool) (stream, error) {
	n := &negotiation{login: l, conn: newByteConn(conn)}
	var state mellium.SessionState
	if direct {
		state = mellium.Secure
	}
	// Mellium's own use of the context sets a deadline and takes it back at once, which a slow goroutine misses.
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	session, err := mellium.NewSession(context.WithoutCancel(ctx), l.jid.Domain(), l.jid, n.conn, state, mellium.NewNegotiator(n.config))
	if !unhook() {
		return stream{}, fmt.Errorf("login: %w", context.Cause(ctx))
	}
	if err != nil {
		return stream{}, fmt.Errorf("login: %w", n.explain(err))
	}
	if session.State()&mellium.Authn == 0 {
		return stream{}, fmt.Errorf("login: %w: the server asked for none", errAuth)
	}
	if _, ok := session.Feature(nsManagement); !ok {
		return stream{}, errNoManagement
	}
	in := newReader(n.conn)
	if err := in.replay(n.conn.seen); err != nil {
		return stream{}, fmt.Errorf("read the login again: %w", err)
	}
	return stream{conn: n.conn, in: in, jid: session.LocalAddr()}, nil
}

// negotiation is one login that is under way.
type negotiation struct {
	login
	conn *byteConn // the newest: with STARTTLS there is a second one
}

// config returns the stream features to negotiate on the present stream.
func (n *negotiation) config(s *mellium.Session, _ *mellium.StreamConfig) mellium.StreamConfig {
	if s == nil {
		return mellium.StreamConfig{}
	}
	return mellium.StreamConfig{Features: []mellium.StreamFeature{n.startTLS(), n.sasl(s), mellium.BindResource()}}
}

// startTLS puts a byteConn around mellium's TLS.
func (n *negotiation) startTLS() mellium.StreamFeature {
	f := mellium.StartTLS(n.tls)
	upgrade := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		mask, rw, err := upgrade(ctx, s, data)
		secured, ok := rw.(*tls.Conn)
		if err != nil || !ok {
			return mask, rw, err
		}
		if err := secured.HandshakeContext(ctx); err != nil {
			return 0, nil, fmt.Errorf("TLS: %w", err)
		}
		n.conn = newByteConn(secured)
		return mask, n.conn, nil
	}
	return f
}

// sasl offers the mechanisms that fit the TLS version. On TLS 1.2 mellium would bind to tls-unique, which the server has not.
func (n *negotiation) sasl(s *mellium.Session) mellium.StreamFeature {
	mechanisms := []sasl.Mechanism{strict(sasl.ScramSha256)}
	if s.ConnectionState().Version >= tls.VersionTLS13 {
		mechanisms = []sasl.Mechanism{strict(sasl.ScramSha256Plus), strict(sasl.ScramSha256)}
	}
	if n.allowPlain {
		mechanisms = append(mechanisms, sasl.Plain)
	}
	f := mellium.SASL("", n.secret, mechanisms...)
	authenticate := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		mask, rw, err := authenticate(ctx, s, data)
		if err == nil {
			n.conn.seen = n.conn.seen[:0] // the next byte begins a new stream
		} else if !isNetwork(err) {
			err = fmt.Errorf("%w: %w", errAuth, err)
		}
		return mask, rw, err
	}
	return f
}

// explain replaces mellium's error by the server's stream error, if there is one: mellium drops what is beside the condition, stumbles over
// what it does not know, and need not have read all of it.
func (n *negotiation) explain(err error) error {
	if !bytes.Contains(n.conn.seen, []byte("error")) {
		return err
	}
	if n.conn.SetReadDeadline(time.Now().Add(closeTimeout)) != nil {
		return err
	}
	in := newReader(io.MultiReader(bytes.NewReader(n.conn.seen), n.conn))
	for {
		ev, readErr := in.next()
		if readErr != nil {
			return err
		}
		if ev.Kind == scan.TopLevel && ev.Stanza.Is(scan.NamespaceStreams, "error") {
			return parseStreamError(&ev.Stanza)
		}
	}
}

func isNetwork(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, errLoginSize)
}

// Bounds of what a server may ask of a SCRAM client.
const (
	minIterations = 4096 // RFC 7677 section 4
	maxIterations = 1 << 20
)

var errChallenge = errors.New("the server's SCRAM challenge is malformed")

// strict looks at a server's first message before mellium does: mellium loops for ever over some malformed ones and takes any number of
// iterations.
func strict(m sasl.Mechanism) sasl.Mechanism {
	next := m.Next
	m.Next = func(n *sasl.Negotiator, challenge []byte, data any) (bool, []byte, any, error) {
		if n.State()&sasl.StepMask == sasl.AuthTextSent {
			if err := checkChallenge(string(challenge)); err != nil {
				return false, nil, nil, err
			}
		}
		return next(n, challenge, data)
	}
	return m
}

// checkChallenge wants r=...,s=...,i=N as RFC 5802 section 5.1 has it.
func checkChallenge(s string) error {
	fields := strings.Split(strings.TrimRight(s, "\x00"), ",")
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r=") || !strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return errChallenge
	}
	for _, f := range fields {
		if len(f) < 3 || f[1] != '=' {
			return errChallenge
		}
	}
	var n int
	if _, err := fmt.Sscanf(fields[2], "i=%d", &n); err != nil || n < minIterations || n > maxIterations {
		return fmt.Errorf("%w: %s", errChallenge, fields[2])
	}
	return nil
}
