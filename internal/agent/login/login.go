// Package login takes a connection to the server as far as a session: STARTTLS, SASL and resource binding by mellium, or the resumption of an older session.
//
// Mellium reads through a connection that gives out single bytes and therefore never reads ahead, so whoever reads after it starts exactly where it stopped. What it read
// since the last stream header is scanned once more, strictly, which also tells the scanner the namespaces of the stream.
package login

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"mellium.im/sasl"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/agent/path"
	"signalbox/internal/identity"
)

// Login is what a session needs to prove who the agent is. It may be used concurrently.
type Login struct {
	JID        jid.JID // bare: mellium v0.22.0 sends an empty resource when it is asked for one, so the server chooses
	Secret     string  // empty: it logs in by Key
	Key        identity.Key
	Server     identity.Public // the server's key; zero: it is not known, and the certificate alone says who the server is
	TLS        *tls.Config
	AllowPlain bool

	// Intercepted has the agent log in although TLS is opened on the way, if it trusts the authority that signed the certificate which is shown there. The server is told.
	Intercepted bool
}

// Stream is a connection on which a resource is bound.
type Stream struct {
	Conn        net.Conn
	In          *Reader
	JID         jid.JID // full
	TLS         tls.ConnectionState
	Proven      bool   // the server has proven its identity on this connection: nobody on the way opens TLS
	Intercepted bool   // something on the way opens TLS, and policy lets it
	Resumed     bool   // the session that was to be resumed goes on
	Handled     uint32 // with Resumed: how many stanzas of the agent the server has handled
}

// Resumption names a session to go on with (XEP-0198 section 5).
type Resumption struct {
	ID      string
	Handled uint32 // stanzas that the agent has handled
	JID     jid.JID
}

// Negotiate logs in on conn, which has TLS already if direct is set, and binds a resource, or resumes a session where r is not nil and the server still has it. climb may
// be nil. The caller closes conn if it fails; every error is a *ladder.Failure.
func (l Login) Negotiate(ctx context.Context, conn net.Conn, direct bool, r *Resumption, climb path.Climb) (Stream, error) {
	n := newNegotiation(l, conn, climb)
	n.resume = r
	session, err := n.run(ctx, direct)
	switch {
	case err != nil:
		return Stream{}, err
	case session.State()&mellium.Authn == 0:
		return Stream{}, ladder.New(ladder.NoMechanism, "", errNoLogin)
	}
	if _, ok := session.Feature(nsManagement); !ok {
		return Stream{}, ladder.New(ladder.NoManagement, "", nil)
	}
	in := NewReader(n.conn)
	if err := in.Replay(n.conn.seen); err != nil {
		return Stream{}, ladder.New(ladder.NotXMPP, "", fmt.Errorf("read the login again: %w", err))
	}
	st := Stream{Conn: n.conn, In: in, JID: session.LocalAddr(), TLS: n.conn.ConnectionState(), Proven: n.proven, Intercepted: n.Intercepted}
	if n.resumed {
		st.Resumed, st.Handled, st.JID = true, n.handled, r.JID
	}
	n.climb(ladder.Bind, "session "+st.JID.String())
	return st, nil
}

// Authenticate goes as far as the login and binds nothing, so that a session that the agent has elsewhere goes on. It is used like Negotiate.
func (l Login) Authenticate(ctx context.Context, conn net.Conn, direct bool, climb path.Climb) error {
	n := newNegotiation(l, conn, climb)
	n.short = true
	session, err := n.run(ctx, direct)
	if err == nil && session.State()&mellium.Authn == 0 {
		err = ladder.New(ladder.NoMechanism, "", errNoLogin)
	}
	if err == nil {
		_, _ = io.WriteString(n.conn, "</stream:stream>") // the connection is closed next
	}
	return err
}

// negotiation is one login that is under way.
type negotiation struct {
	Login
	conn   *byteConn // the newest: with STARTTLS there is a second one
	climb  path.Climb
	stage  ladder.Step // that is being climbed
	short  bool        // nothing is bound
	proven bool        // the server has proven its identity on this connection
	resume *Resumption

	resumed bool
	handled uint32
}

func newNegotiation(l Login, conn net.Conn, climb path.Climb) *negotiation {
	if climb == nil {
		climb = func(ladder.Step, string) {}
	}
	return &negotiation{Login: l, conn: newByteConn(conn), climb: climb, stage: ladder.Stream}
}

func (n *negotiation) run(ctx context.Context, direct bool) (*mellium.Session, error) {
	var state mellium.SessionState
	if direct {
		state = mellium.Secure
	}
	// Mellium's own use of the context sets a deadline and takes it back at once, which a slow goroutine misses.
	first := n.conn
	unhook := context.AfterFunc(ctx, func() { first.Close() })
	session, err := mellium.NewSession(context.WithoutCancel(ctx), n.JID.Domain(), n.JID, n.conn, state, mellium.NewNegotiator(n.config))
	if !unhook() {
		return nil, n.silent(context.Cause(ctx))
	}
	if err != nil {
		return nil, n.failure(err)
	}
	return session, nil
}

// config returns the stream features to negotiate on the present stream.
func (n *negotiation) config(s *mellium.Session, _ *mellium.StreamConfig) mellium.StreamConfig {
	if s == nil {
		return mellium.StreamConfig{}
	}
	return mellium.StreamConfig{Features: []mellium.StreamFeature{n.startTLS(), n.sasl(s), n.bind()}}
}

// startTLS puts a byteConn around mellium's TLS.
func (n *negotiation) startTLS() mellium.StreamFeature {
	f := mellium.StartTLS(n.TLS)
	upgrade := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		n.stage = ladder.TLS
		mask, rw, err := upgrade(ctx, s, data)
		secured, ok := rw.(*tls.Conn)
		if err != nil || !ok {
			return mask, rw, err
		}
		if err := path.Secure(ctx, secured, n.TLS); err != nil {
			return 0, nil, err
		}
		n.conn = newByteConn(secured)
		n.climb(ladder.TLS, path.Describe(secured.ConnectionState()))
		n.stage = ladder.Stream
		return mask, n.conn, nil
	}
	return f
}

// sasl offers the mechanisms that fit the TLS version. On TLS 1.2 mellium would bind to tls-unique, which the server has not.
func (n *negotiation) sasl(s *mellium.Session) mellium.StreamFeature {
	mechanisms := []sasl.Mechanism{strict(sasl.ScramSha256)}
	if s.ConnectionState().Version >= tls.VersionTLS13 && !n.Intercepted { // the binding would fail there
		mechanisms = []sasl.Mechanism{strict(sasl.ScramSha256Plus), strict(sasl.ScramSha256)}
	}
	if n.AllowPlain && n.Server.IsZero() {
		mechanisms = append(mechanisms, sasl.Plain)
	}
	if !n.Key.IsZero() { // and nothing else: a list without it was changed on its way
		mechanisms = []sasl.Mechanism{n.byKey()}
	}
	f := mellium.SASL("", n.Secret, mechanisms...)
	authenticate := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		n.climb(ladder.Stream, "the server serves "+n.JID.Domain().String())
		n.stage = ladder.Auth
		if err := n.checkServer(s); err != nil {
			return 0, nil, err
		}
		mask, rw, err := authenticate(ctx, s, data)
		if err != nil {
			return mask, rw, err
		}
		n.climb(ladder.Auth, "logged in as "+n.JID.String())
		n.stage = ladder.Bind
		if n.short {
			return mellium.Authn | mellium.Ready, nil, nil
		}
		n.conn.seen = n.conn.seen[:0] // the next byte begins a new stream
		return mask, rw, nil
	}
	return f
}

// bind asks for a resource, or before that for the session that is to be resumed.
func (n *negotiation) bind() mellium.StreamFeature {
	f := mellium.BindResource()
	bind := f.Negotiate
	f.Negotiate = func(ctx context.Context, s *mellium.Session, data any) (mellium.SessionState, io.ReadWriter, error) {
		if _, ok := s.Feature(nsManagement); ok && n.resume != nil {
			if err := n.resumeSession(); err != nil {
				return 0, nil, err
			}
		}
		if n.resumed {
			return mellium.Ready, nil, nil
		}
		return bind(ctx, s, data)
	}
	return f
}

var errNoLogin = errors.New("the server asked for none")
