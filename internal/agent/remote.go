package agent

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/agent/capability"
	"signalbox/internal/agent/remote"
	"signalbox/internal/channel"
	"signalbox/internal/channel/wsconn"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

// WithCapabilities says what technicians can do in remote sessions; without it the agent takes none.
func WithCapabilities(all ...capability.Capability) Option {
	return func(a *Agent) { a.capabilities = all }
}

// WithConsent has the user asked; without it there is nobody who could be.
func WithConsent(c remote.Consent) Option { return func(a *Agent) { a.consent = c } }

// RemoteSessions returns the remote sessions that run.
func (a *Agent) RemoteSessions() []remote.Session { return a.remote.Sessions() }

// EndRemoteSession ends one as a user at the endpoint wants it, also while the server cannot be reached, and returns false if there is none. The server is told who it was; empty: not known.
func (a *Agent) EndRemoteSession(id, user string) bool { return a.remote.End(id, user) }

// errNoKey refuses what nobody can prove.
var errNoKey = errors.New("the endpoint does not know the key of its server: set server_key")

// newRemote makes what runs remote sessions.
func (a *Agent) newRemote() *remote.Manager {
	return remote.New(a.cfg.Remote, remote.Options{
		Open: a.openGrant, Capabilities: a.capabilities, Consent: a.consent, Dial: a.dialTURN, Relay: a.dialRelay, Doubt: a.doubt,
	}, a.log)
}

// openGrant opens a grant for this endpoint.
func (a *Agent) openGrant(text string, now time.Time) (signalling.Grant, error) {
	if a.serverKey.IsZero() {
		return signalling.Grant{}, errNoKey
	}
	return signalling.Open(a.serverKey, text, a.login.JID.Bare().String(), now)
}

// dialTURN connects to a TURN server on the ways to the server itself.
func (a *Agent) dialTURN(ctx context.Context, address string, secure bool) (net.Conn, error) {
	if secure {
		return a.ways.Secured(ctx, address, "stun.turn") // RFC 7443
	}
	return a.ways.Stream(ctx, address)
}

// dialRelay opens an end of a channel through the relay, likewise.
func (a *Agent) dialRelay(ctx context.Context, url string) (channel.Conn, error) {
	client := &http.Client{
		Transport: &http.Transport{
			DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return a.ways.Secured(ctx, address, "http/1.1")
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the relay leads elsewhere") },
	}
	return wsconn.Dial(ctx, url, client)
}

// signalled takes a message about a remote session, and returns the stanza error for one that is not taken.
func (s *session) signalled(st *scan.Stanza) (condition string) {
	if !strings.EqualFold(string(st.From()), s.domain) {
		return "forbidden" // whoever else may reach this endpoint
	}
	for el := range st.Element().Children() {
		m, err := signalling.ParseXML(el, signalling.ToEndpoint)
		if err != nil {
			s.log.Warn("message about a remote session refused", telemetry.Cause(err))
			return "bad-request"
		}
		switch err := s.agent.remote.Take(m); {
		case errors.Is(err, remote.ErrUnknown):
			return "item-not-found"
		case err != nil:
			return "resource-constraint"
		}
	}
	return ""
}

// signal sends a message about a remote session to the server. The id of the iq names the session, for an error that comes back.
func (s *session) signal(m signalling.Message) {
	text, err := signalling.AppendXML(nil, m)
	if err != nil {
		s.log.Error("cannot say something about a remote session", telemetry.RemoteSession(m.SessionID()), telemetry.Detail(m.Name()), telemetry.Cause(err))
		return
	}
	id := m.SessionID() + "." + strconv.FormatUint(s.signals.Add(1), 10)
	b := append([]byte("<iq type='set'"), scan.AppendAttribute(nil, "id", id)...)
	b = append(scan.AppendAttribute(b, "to", s.domain), '>')
	s.stanza(append(append(b, text...), "</iq>"...))
}

// unheard takes the error that answers a message about a remote session. One of which the server knows nothing has ended.
func (s *session) unheard(st *scan.Stanza) {
	id, _, ok := strings.Cut(string(st.ID()), ".")
	if !ok || !strings.EqualFold(string(st.From()), s.domain) || !st.Element().Child(scan.NamespaceClient, "error").Child(nsStanzas, "item-not-found").Exists() {
		return
	}
	s.agent.remote.Gone(id)
}
