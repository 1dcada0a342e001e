package feature

import (
	"context"
	"crypto/rand"
	"errors"

	"go.uber.org/zap"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

// Sessions takes what endpoints say about remote sessions.
type Sessions interface {
	// FromEndpoint takes a message that an endpoint may say (signalling.FromEndpoint). The endpoint's stream waits for it, so it waits for the store at most, and no longer
	// than ctx. Errors that are not signalling's own are the server's trouble. It may be called concurrently.
	FromEndpoint(ctx context.Context, k endpoint.Key, m signalling.Message) error
	// RefusedEndpoint says that an endpoint sent a message that was refused before it could be taken. session is what the message says that it is about, in the sender's own
	// words. It neither blocks nor fails, and may be called concurrently.
	RefusedEndpoint(k endpoint.Key, session string, code signalling.Code)
}

// notSupported is why an endpoint that answers an offer with an error refuses it (docs/PROTOCOL.md).
const notSupported = "not_supported"

// RemoteSessions carries signalling between endpoints and the server in IQs of signalling.Namespace. What one party says to the other goes by the server alone.
type RemoteSessions struct {
	domain  string
	clients func(endpoint.Key) []Client
	log     *zap.Logger

	sessions Sessions // set before connections come
}

// NewRemoteSessions returns what sends to the clients of endpoints; clients returns those of one, the leading one first. Feature must follow, to take what they say.
func NewRemoteSessions(domain string, clients func(endpoint.Key) []Client, log *zap.Logger) *RemoteSessions {
	return &RemoteSessions{domain: domain, clients: clients, log: log.Named("xmpp")}
}

// Feature hands what endpoints say to sessions. It is called once, before connections come.
func (r *RemoteSessions) Feature(sessions Sessions) Feature {
	r.sessions = sessions
	f := Feature{Vars: []string{signalling.Namespace}}
	for _, name := range signalling.Names() {
		f.Requests = append(f.Requests, Request{Namespace: signalling.Namespace, Local: name, To: Server, Set: r.take})
	}
	return f
}

// take hands on what an endpoint says.
func (r *RemoteSessions) take(ctx context.Context, q *Query) Answer {
	k := q.From.Key()
	if k.ID == "" || k.Domain != r.domain { // the server itself, or a component
		return Refuse(stanza.Auth, stanza.Forbidden)
	}
	m, err := signalling.ParseXML(q.Payload, signalling.FromEndpoint)
	if err != nil {
		about, _ := q.Payload.Attr("id")
		r.sessions.RefusedEndpoint(k, string(about), signalling.CodeOf(err))
	} else {
		err = r.sessions.FromEndpoint(ctx, k, m)
	}
	return SessionAnswer(err, r.log)
}

// SessionAnswer is the answer to a message about a remote session that came to this: an empty result without an error. Trouble of the server's own is logged.
func SessionAnswer(err error, log *zap.Logger) Answer {
	if err == nil {
		return Answer{}
	}
	var refused *signalling.Error
	if !errors.As(err, &refused) {
		log.Error("message of a remote session could not be taken", telemetry.Cause(err))
		return Refuse(stanza.Wait, stanza.InternalServerError)
	}
	a := sessionRefusal(refused.Code)
	b := scan.AppendAttribute([]byte("<refused xmlns='"+signalling.Namespace+"'"), "code", string(refused.Code))
	if refused.Member != "" {
		b = scan.AppendAttribute(b, "member", refused.Member)
	}
	a.Detail = string(append(scan.AppendText(append(b, '>'), refused.Detail), "</refused>"...))
	return a
}

// sessionRefusal is the stanza error that goes with a code.
func sessionRefusal(c signalling.Code) Answer {
	switch c {
	case signalling.UnknownSession:
		return Refuse(stanza.Cancel, stanza.ItemNotFound)
	case signalling.NotParty, signalling.NotAllowed:
		return Refuse(stanza.Auth, stanza.Forbidden)
	case signalling.TokenRefused:
		return Refuse(stanza.Auth, stanza.NotAuthorized)
	case signalling.Unexpected:
		return Refuse(stanza.Wait, stanza.UnexpectedRequest)
	case signalling.TryLater:
		return Refuse(stanza.Wait, stanza.ResourceConstraint)
	case signalling.TooLarge:
		return Refuse(stanza.Modify, stanza.PolicyViolation)
	}
	return Refuse(stanza.Modify, stanza.BadRequest)
}

// Tell sends a message to the endpoint's session. With nil it is on its way, or waits for a session that lost its connection to be resumed. Errors: endpoint.ErrOffline where
// there is no session, endpoint.ErrFull where too much waits for it already, an *signalling.Error for what must not be said. It never blocks and may be called concurrently.
func (r *RemoteSessions) Tell(k endpoint.Key, m signalling.Message) error {
	if err := signalling.Allowed(m, signalling.ToEndpoint); err != nil {
		return err
	}
	payload, err := signalling.AppendXML(nil, m)
	if err != nil {
		return err
	}
	all := r.clients(k)
	if len(all) == 0 {
		return endpoint.ErrOffline
	}
	c := all[0]
	sent := false
	if offer, ok := m.(signalling.Offer); ok {
		sent = Ask(c, r.domain, true, payload, func(ctx context.Context, el *scan.Stanza) { r.answered(ctx, k, offer, el) })
	} else {
		sent = c.Send(SessionRequest(r.domain, c.JID(), payload))
	}
	switch {
	case sent:
		return nil
	case c.State().Has(Detached):
		return endpoint.ErrOffline
	}
	return endpoint.ErrFull
}

// SessionRequest is the iq that carries a message of the server to a party. Nobody waits for its answer.
func SessionRequest(from, to string, payload []byte) []byte {
	b := scan.AppendAttribute(append(make([]byte, 0, 128+len(payload)), "<iq type='set'"...), "id", rand.Text())
	b = append(scan.AppendAttribute(scan.AppendAttribute(b, "from", from), "to", to), '>')
	return append(append(b, payload...), "</iq>"...)
}

// SessionNotice carries a message of the server that a technician need not know, as a message of type headline (RFC 6121 section 5.2.2): whoever does not know it passes it over, while
// one that does not know a request may take it for another protocol, and go.
func SessionNotice(from, to string, payload []byte) []byte {
	b := append(make([]byte, 0, 128+len(payload)), "<message type='headline'"...)
	b = append(scan.AppendAttribute(scan.AppendAttribute(b, "from", from), "to", to), '>')
	return append(append(b, payload...), "</message>"...)
}

// answered has an endpoint that does not know what an offer is deny it: any XMPP client can be an endpoint, and most answer what they do not know with an error.
func (r *RemoteSessions) answered(ctx context.Context, k endpoint.Key, offer signalling.Offer, el *scan.Stanza) {
	if string(el.Type()) != "error" {
		return
	}
	deny := signalling.Deny{About: offer.About, Reason: notSupported, Detail: "the endpoint answered the offer with an error"}
	for c := range el.Element().Child(scan.NamespaceClient, "error").Children() {
		if string(c.Namespace()) == stanza.NSError {
			deny.Detail += ": " + string(c.Local())
			break
		}
	}
	var refused *signalling.Error // it has denied by itself, or the session is over
	if err := r.sessions.FromEndpoint(ctx, k, deny); err != nil && !errors.As(err, &refused) {
		r.log.Error("refusal of a remote session could not be taken", telemetry.Endpoint(k.JID()), telemetry.Cause(err))
	}
}
