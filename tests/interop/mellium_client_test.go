package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/mux"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/receipts"
	"mellium.im/xmpp/stanza"

	"signalbox/tests/harness"
)

// melliumClient is the Go library, with the TLS and the XML parser of Go; it runs in the test's own process.
var melliumClient = &client{
	name:    "mellium",
	origin:  "Go module mellium.im/xmpp",
	version: melliumVersion,
	run:     runMellium,
	lacks: map[string]string{
		featureWebSocket: "its WebSocket is a module of its own, which is not part of the suite", "EXTERNAL": noMechanism,
		featureSASL2: noSASL2, featureBind2: noSASL2, featureFAST: noSASL2,
		featureSM: "it has no stream management", featureResume: "it has no stream management",
	},
}

// melliumVersion reads go.mod: a test's binary does not name its modules.
func melliumVersion() string {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "mellium.im/xmpp ")
	version, _, _ := strings.Cut(rest, "\n")
	return version
}

var melliumMechanisms = []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha256, sasl.ScramSha1Plus, sasl.ScramSha1, sasl.Plain}

// melliumRun is one login.
type melliumRun struct {
	stage    *stage
	job      job
	session  *mellium.Session
	receipts *receipts.Handler
	asked    chan string // ids of the partner's messages that ask for a receipt
	approved chan string
	seen     chan string
}

func runMellium(t *testing.T, s *stage, j job) (lines []line) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	r := &melliumRun{stage: s, job: j, receipts: &receipts.Handler{}, asked: make(chan string, 10), approved: make(chan string, 10), seen: make(chan string, 10)}
	for _, step := range j.steps {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		detail, err := r.step(ctx, step)
		cancel()
		l := line{Step: step, OK: err == nil, Detail: detail}
		if err != nil {
			l.Detail = err.Error()
		}
		t.Logf("%s %s: %s %v %s", j.transport, j.mechanism, l.Step, l.OK, l.Detail)
		lines = append(lines, l)
		if step == "login" && err != nil {
			return lines
		}
	}
	_ = r.session.Close()
	return lines
}

func (r *melliumRun) step(ctx context.Context, name string) (string, error) {
	partner := jid.MustParse(r.stage.partner.jid)
	switch name {
	case "login":
		return r.login(ctx)
	case "bind":
		return r.session.LocalAddr().String(), nil
	case "ping":
		return "", ping.Send(ctx, r.session, jid.MustParse(harness.Domain))
	case "receipt":
		body := xmlstream.Wrap(xmlstream.Token(xml.CharData("how are you?")), xml.StartElement{Name: xml.Name{Local: "body"}})
		return "", r.receipts.SendMessageElement(ctx, r.session, body, stanza.Message{To: partner, Type: stanza.ChatMessage})
	case "answer":
		return await(ctx, r.asked)
	case "presence":
		if err := r.session.Send(ctx, stanza.Presence{To: partner.Bare(), Type: stanza.SubscribePresence}.Wrap(nil)); err != nil {
			return "", err
		}
		if _, err := await(ctx, r.approved); err != nil {
			return "", err
		}
		return await(ctx, r.seen)
	}
	return "", errors.New("unknown step")
}

func await(ctx context.Context, c <-chan string) (string, error) {
	select {
	case v := <-c:
		return v, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (r *melliumRun) login(ctx context.Context) (string, error) {
	cfg, err := r.tls()
	if err != nil {
		return "", err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.stage.addrs[r.job.transport])
	if err != nil {
		return "", err
	}
	var state mellium.SessionState
	var features []mellium.StreamFeature
	rw := conn
	if r.job.transport == "direct" {
		state, rw = mellium.Secure, tls.Client(conn, cfg)
	} else {
		features = append(features, mellium.StartTLS(cfg))
	}
	used := ""
	features = append(features, mellium.SASL("", r.job.secret, r.mechanisms(&used)...), mellium.BindResource())
	account := jid.MustParse(account + "@" + harness.Domain)
	r.session, err = mellium.NewSession(ctx, account.Domain(), account, rw, state, mellium.NewNegotiator(func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
		return mellium.StreamConfig{Features: features}
	}))
	if err != nil {
		_ = conn.Close()
		return "", err
	}
	go func() { _ = r.session.Serve(r.handler()) }() // ends with the stream, which the end of the run closes
	return used, r.session.Send(ctx, stanza.Presence{}.Wrap(nil))
}

func (r *melliumRun) tls() (*tls.Config, error) {
	text, err := os.ReadFile(r.job.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{ServerName: harness.Domain, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// mechanisms are those of the job, each of which notes that it was started.
func (r *melliumRun) mechanisms(used *string) (chosen []sasl.Mechanism) {
	for _, m := range melliumMechanisms {
		if r.job.mechanism != "" && r.job.mechanism != m.Name {
			continue
		}
		start := m.Start
		m.Start = func(n *sasl.Negotiator) (bool, []byte, any, error) {
			*used = m.Name
			return start(n)
		}
		chosen = append(chosen, m)
	}
	return chosen
}

func (r *melliumRun) handler() mellium.Handler {
	return mux.New(stanza.NSClient,
		receipts.Handle(r.receipts),
		mux.MessageFunc(stanza.ChatMessage, xml.Name{Local: "body"}, func(m stanza.Message, _ xmlstream.TokenReadEncoder) error {
			r.asked <- m.ID
			return nil
		}),
		mux.PresenceFunc(stanza.AvailablePresence, xml.Name{}, func(p stanza.Presence, _ xmlstream.TokenReadEncoder) error {
			if p.From.String() == r.stage.partner.jid {
				r.seen <- p.From.String()
			}
			return nil
		}),
		mux.PresenceFunc(stanza.SubscribePresence, xml.Name{}, func(p stanza.Presence, t xmlstream.TokenReadEncoder) error {
			_, err := xmlstream.Copy(t, stanza.Presence{To: p.From.Bare(), Type: stanza.SubscribedPresence}.Wrap(nil))
			r.approved <- p.From.String()
			return err
		}),
	)
}
