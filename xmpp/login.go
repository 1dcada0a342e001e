package xmpp

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/sasl"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const (
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBinding = "urn:xmpp:sasl-cb:0"
)

// maxMechanism is the longest name that a mechanism has (RFC 4422 section 3.1).
const maxMechanism = 20

// login is what a stream needs until a session is bound. The goroutine that negotiates owns it; unlike a session's, its steps may wait for the store.
type login struct {
	ctx      context.Context // done when the stream is over: nothing is read or hashed for one that is gone
	from     string          // who the endpoint said it is in its stream header, a bare JID; empty: it did not
	exchange *sasl.Exchange  // under way, or nil
	request  *request        // of the exchange under way; nil: it is one of RFC 6120
	sasl2    bool            // the profile of the message that is being answered
	begun    time.Time       // when the client's last message came
	tries    int             // that failed
	to       string          // the domain that the stream header named, at most 1023 bytes
	greeted  bool            // a stream header was accepted

	mechanism string       // of the newest login, as the client named it
	key       endpoint.Key // who logged in; zero before
	proven    []byte       // the mark of the secret that it had then

	intercepted bool // it found TLS opened on the way, and its policy lets it log in all the same
}

// features appends the stream features of the phase (RFC 6120 section 4.3.2).
func (st *stream) features(b []byte) []byte {
	b = append(b, "<stream:features>"...)
	switch st.phase {
	case awaitSTARTTLS:
		b = append(b, "<starttls xmlns='"+nsTLS+"'><required/></starttls>"...)
	case awaitAuth:
		b = appendLimits(st.identityFeature(st.mechanisms(b)), st.srv.cfg.MaxLoginBytes, st.srv.cfg.LoginTimeout)
	case awaitBind:
		b = append(b, "<bind xmlns='"+nsBind+"'/><sm xmlns='"+nsSM+"'/>"...)
		b = st.srv.afterLogin(b)
	case awaitSeat:
		b = appendLimits(append(b, "<bind xmlns='"+nsBind+"'/>"...), st.srv.cfg.MaxStanzaBytes, st.srv.cfg.PingAfter)
	}
	return append(b, "</stream:features>"...)
}

// mechanisms appends what SASL offers in both its profiles, and the channel bindings (XEP-0440).
func (st *stream) mechanisms(b []byte) []byte {
	names := sasl.Offer(st.saslInput())
	b = append(b, "<mechanisms xmlns='"+nsSASL+"'>"...)
	b = appendMechanisms(b, names)
	b = append(b, "</mechanisms>"...)
	b = st.authentication(b, names)
	types := sasl.BindingTypes(st.info.TLS)
	if len(types) == 0 {
		return b
	}
	b = append(b, "<sasl-channel-binding xmlns='"+nsBinding+"'>"...)
	for _, name := range types {
		b = append(b, "<channel-binding type='"...)
		b = append(b, name...)
		b = append(b, "'/>"...)
	}
	return append(b, "</sasl-channel-binding>"...)
}

func appendMechanisms(b []byte, names []string) []byte {
	for _, name := range names {
		b = append(b, "<mechanism>"...)
		b = append(b, name...)
		b = append(b, "</mechanism>"...)
	}
	return b
}

func (st *stream) saslInput() sasl.Input {
	return sasl.Input{Domain: st.srv.domain, TLS: st.info.TLS, Technician: st.technicianLogin(), Keys: !st.srv.deps.SASL.Identity().IsZero()}
}

// takePlain knows one request: TLS. Nothing else is done in plain text.
func (st *stream) takePlain(el *scan.Stanza) transport.Next {
	if !el.Is(nsTLS, "starttls") {
		return st.end(endpoint.ReasonNotAuthorized)
	}
	st.conn.Control([]byte("<proceed xmlns='" + nsTLS + "'/>"))
	return transport.Secure
}

// takeAuth is SASL, RFC 6120 section 6.4.
func (st *stream) takeAuth(el *scan.Stanza) transport.Next {
	st.login.begun, st.login.sasl2 = time.Now(), string(el.Namespace()) == nsSASL2
	if st.login.sasl2 {
		return st.takeSASL2(el)
	}
	switch {
	case string(el.Namespace()) == nsIdentity:
		return st.takeIdentity(el.Element())
	case st.login.request != nil: // XEP-0388 section 2.4
		return st.end(endpoint.ReasonNotAuthorized)
	case el.Is(nsSASL, "auth"):
		return st.auth(el.Element())
	case el.Is(nsSASL, "response") && st.login.exchange != nil:
		return st.respond(el.Element())
	case el.Is(nsSASL, "response"):
		return st.refuse(&sasl.Failure{Condition: sasl.MalformedRequest, Cause: errNoExchange})
	case el.Is(nsSASL, "abort"):
		return st.refuse(&sasl.Failure{Condition: sasl.Aborted, Cause: errAborted})
	case el.Is(nsSM, "enable"), el.Is(nsSM, "resume"):
		st.conn.Control(smFailed("unexpected-request", ""))
		return transport.Read
	}
	return st.end(endpoint.ReasonNotAuthorized)
}

var (
	errNoExchange = errors.New("response without a login under way")
	errBegunTwice = errors.New("login begun while one is under way")
	errAborted    = errors.New("the client gave up")
	errNoUUID     = errors.New("id of the user agent is not a UUID")
)

func (st *stream) auth(el scan.Element) transport.Next {
	if st.login.exchange != nil {
		return st.refuse(&sasl.Failure{Condition: sasl.MalformedRequest, Cause: errBegunTwice})
	}
	name, _ := el.Attr("mechanism")
	st.login.mechanism = clip(name, maxMechanism)
	x, err := st.srv.deps.SASL.Start(string(name), st.saslInput())
	if err != nil {
		return st.refuse(err)
	}
	st.login.exchange = x
	return st.respond(el)
}

func (st *stream) respond(el scan.Element) transport.Next {
	response, err := sasl.DecodeBase64([]byte(el.Text()))
	if err != nil {
		return st.refuse(err)
	}
	if el.Is(nsSASL, "response") && response == nil {
		response = []byte{}
	}
	return st.step(response)
}

// step takes the exchange one message further, in either profile.
func (st *stream) step(response []byte) transport.Next {
	x := st.login.exchange
	challenge, done, err := x.Step(st.login.ctx, response)
	if err != nil {
		return st.refuse(err)
	}
	if !done {
		st.conn.Control(saslElement(st.login.namespace(), "challenge", challenge))
		return transport.Read
	}
	r := st.login.request
	st.login.key, st.login.proven, st.login.exchange, st.login.request = x.Identity(), x.SecretMark(), nil, nil
	st.login.intercepted = st.login.intercepted || x.Intercepted()
	st.srv.metrics.logins.WithLabelValues("ok").Inc()
	if r != nil {
		return st.proceed(r, &granted{data: challenge, token: st.renew(x, r)})
	}
	st.conn.Control(saslElement(nsSASL, "success", challenge))
	st.restart(st.afterAuth())
	st.sc.SetLimits(st.srv.cfg.StanzaLimits())
	return transport.Read
}

// afterAuth is what a stream waits for once its client has proved who it is.
func (st *stream) afterAuth() phase {
	if st.seat.Load() != nil {
		return awaitSeat
	}
	return awaitBind
}

// namespace is that of the profile in which is answered.
func (l *login) namespace() string {
	if l.sasl2 {
		return nsSASL2
	}
	return nsSASL
}

// saslElement carries data as RFC 6120 section 6.4.2 says: in base64, an empty message in <success/> as no text.
func saslElement(namespace, name string, data []byte) []byte {
	b := append(make([]byte, 0, 256), '<')
	b = append(b, name...)
	b = append(b, " xmlns='"...)
	b = append(b, namespace...)
	b = append(b, "'>"...)
	b = base64.StdEncoding.AppendEncode(b, data)
	b = append(b, "</"...)
	b = append(b, name...)
	return append(b, '>')
}

// refuse answers a failed login. The answer comes a fixed time after the client's message, so that time does not tell which endpoints exist and guessing is slow.
func (st *stream) refuse(err error) transport.Next {
	var f *sasl.Failure
	if !errors.As(err, &f) {
		f = &sasl.Failure{Condition: sasl.TemporaryAuthFailure, Cause: err}
	}
	st.noteFailure(f)
	if !st.pause(time.Until(st.login.begun.Add(st.srv.cfg.FailureDelay))) {
		return st.end(endpoint.ReasonShutdown)
	}
	st.login.exchange, st.login.request = nil, nil
	st.login.tries++
	st.conn.Control(st.login.failure(f.Condition))
	if st.login.tries >= st.srv.cfg.LoginTries {
		return st.end(endpoint.ReasonAuthFailed)
	}
	return transport.Read
}

// failure is the answer to a failed login; the conditions have one namespace in both profiles.
func (l *login) failure(c sasl.Condition) []byte {
	if l.sasl2 {
		return []byte("<failure xmlns='" + nsSASL2 + "'><" + string(c) + " xmlns='" + nsSASL + "'/></failure>")
	}
	return []byte("<failure xmlns='" + nsSASL + "'><" + string(c) + "/></failure>")
}

func (st *stream) noteFailure(f *sasl.Failure) {
	st.refusedLogin(f)
	st.srv.metrics.logins.WithLabelValues(string(f.Condition)).Inc()
	fields := []zap.Field{telemetry.Remote(st.info.Remote), telemetry.Reason(string(f.Condition)), telemetry.Cause(f.Cause)}
	if st.login.exchange != nil && st.login.exchange.Claimed().ID != "" {
		fields = append(fields, telemetry.Endpoint(st.login.exchange.Claimed().JID()))
	}
	if f.Condition == sasl.TemporaryAuthFailure && st.login.ctx.Err() == nil {
		st.srv.log.Error("login could not be checked", fields...)
		return
	}
	st.srv.log.Debug("login refused", fields...)
}

// trouble logs what could not be done for who logged in, unless the stream is over: then nobody waited for it any more.
func (st *stream) trouble(what string, err error) {
	if st.login.ctx.Err() == nil {
		st.srv.log.Error(what, telemetry.Endpoint(st.login.key.JID()), telemetry.Cause(err))
	}
}

// pause waits, unless the server stops meanwhile.
func (st *stream) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	if st.login.ctx.Err() != nil {
		return false
	}
	select {
	case <-t.C:
		return true
	case <-st.login.ctx.Done():
		return false
	}
}
