package interop

import (
	"regexp"
	"testing"
)

// kind says how a feature is tried.
type kind int

const (
	kindTransport kind = iota // a login over it, by the mechanism that the client chooses, with bind and ping
	kindMechanism             // a login by it and no other
	kindTLS                   // a login that must fail before the server has seen a secret
	kindSecret                // a login that must fail after that
	kindStep                  // a step of one day's work
	kindPartner               // what the partner must see of that day
)

// feature is a row of the table.
type feature struct {
	name string
	kind kind
	step string // of a day's work: what the client's program calls it; of a transport: its name in a job
}

// Features that the code below names.
const (
	featureDirect    = "direct TLS (XEP-0368)"
	featureStartTLS  = "STARTTLS"
	featureWebSocket = "WebSocket (RFC 7395)"
	featureExternal  = "EXTERNAL"
	featurePresence  = "subscriptions, presence seen by both sides"
	featureSASL2     = "SASL2 (XEP-0388)"
	featureBind2     = "Bind 2 (XEP-0386)"
	featureFAST      = "FAST (XEP-0484)"
	featurePing      = "ping (XEP-0199)"
	featureMessage   = "message"
	featureReceipt   = "message, receipt asked for (XEP-0184)"
	featureAnswer    = "message, receipt given (XEP-0184)"
	featureSM        = "stream management (XEP-0198)"
	featureResume    = "resumption (XEP-0198)"
)

// features are the rows, in order; those of kindStep are taken in this order.
var features = []feature{
	{featureDirect, kindTransport, "direct"},
	{featureStartTLS, kindTransport, "starttls"},
	{featureWebSocket, kindTransport, "websocket"},
	{"certificate of another CA refused", kindTLS, ""},
	{"PLAIN", kindMechanism, ""},
	{"SCRAM-SHA-1", kindMechanism, ""},
	{"SCRAM-SHA-1-PLUS", kindMechanism, ""},
	{"SCRAM-SHA-256", kindMechanism, ""},
	{"SCRAM-SHA-256-PLUS", kindMechanism, ""},
	{featureExternal, kindMechanism, ""},
	{"wrong secret refused", kindSecret, ""},
	{featureSASL2, kindStep, "sasl2"},
	{featureBind2, kindStep, "bind2"},
	{"bind", kindStep, "bind"},
	{featurePing, kindStep, "ping"},
	{featureMessage, kindPartner, "message"},
	{featureReceipt, kindStep, "receipt"},
	{featureAnswer, kindStep, "answer"},
	{featurePresence, kindStep, "presence"},
	{featureSM, kindStep, "sm"},
	{featureResume, kindStep, "resume"},
	{featureFAST, kindStep, "fast"},
}

// main is the transport for what is not about transports: the first that the client has.
func (c *client) main() string {
	for _, f := range features {
		if _, lacks := c.lacks[f.name]; f.kind == kindTransport && !lacks {
			return f.step
		}
	}
	return ""
}

// cell is what came out.
type cell struct {
	ok     bool
	detail string
}

// try finds out about every feature that the client has.
func (c *client) try(t *testing.T, s *stage) map[string]cell {
	t.Helper()
	cells := map[string]cell{}
	for _, f := range features {
		if _, lacks := c.lacks[f.name]; lacks || f.kind == kindStep || f.kind == kindPartner {
			continue
		}
		cells[f.name] = c.tryLogin(t, s, f)
	}
	c.tryDay(t, s, cells)
	return cells
}

// Words by which clients say why they do not log in.
var (
	saysCertificate = regexp.MustCompile(`(?i)certificate|x509`)
	saysSecret      = regexp.MustCompile(`(?i)not-authorized|not authorized|authentication fail|auth fail|authfail|login failed|bad credentials|doesn't match`)
)

func (c *client) tryLogin(t *testing.T, s *stage, f feature) cell {
	t.Helper()
	j := job{transport: c.main(), steps: []string{"login"}, secret: secret, ca: s.ca}
	switch f.kind {
	case kindTransport:
		j.transport, j.steps = f.step, append(j.steps, "bind")
		if _, lacks := c.lacks[featurePing]; !lacks {
			j.steps = append(j.steps, "ping")
		}
	case kindMechanism:
		j.mechanism = f.name
		if f.name == featureExternal { // over direct TLS the server asks those alone for a certificate who say by ALPN that they speak XMPP
			j.transport = "starttls"
		}
	case kindTLS:
		j.ca = s.foreignCA
	case kindSecret:
		j.secret = "wrong-" + secret
	}
	lines := c.run(t, s, j)
	login := find(lines, "login")
	switch f.kind {
	case kindMechanism:
		return cell{login.OK && login.Detail == f.name, login.Detail}
	case kindTLS:
		return cell{!login.OK && saysCertificate.MatchString(login.Detail), login.Detail}
	case kindSecret:
		return cell{!login.OK && saysSecret.MatchString(login.Detail), login.Detail}
	}
	for _, step := range j.steps {
		if l := find(lines, step); !l.OK {
			return cell{false, step + ": " + l.Detail}
		}
	}
	return cell{true, login.Detail}
}

// tryDay is one login with all steps.
func (c *client) tryDay(t *testing.T, s *stage, cells map[string]cell) {
	t.Helper()
	var steps []feature
	j := job{transport: c.main(), steps: []string{"login"}, secret: secret, ca: s.ca}
	for _, f := range features {
		_, lacks := c.lacks[f.name]
		if lacks || f.kind != kindStep && f.kind != kindPartner {
			continue
		}
		steps = append(steps, f)
		if f.kind == kindStep {
			j.steps = append(j.steps, f.step)
		}
	}
	s.partner.forget()
	lines := c.run(t, s, j)
	login := find(lines, "login")
	for _, f := range steps {
		l := find(lines, f.step)
		switch {
		case !login.OK:
			cells[f.name] = cell{false, "login: " + login.Detail}
		case f.kind == kindPartner:
			cells[f.name] = cell{s.partner.confirms(t.Context(), f.step), "what the partner saw"}
		case l.OK && !s.partner.confirms(t.Context(), f.step):
			cells[f.name] = cell{false, "the client says ok, the partner does not: " + l.Detail}
		default:
			cells[f.name] = cell{l.OK, l.Detail}
		}
	}
}
