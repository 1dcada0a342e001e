package interop

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/tests/harness"
)

// partner is the second account: it answers messages with a receipt and with a message of its own that asks for one, and takes part in subscriptions.
type partner struct {
	jid string

	mu       sync.Mutex
	heard    int             // messages with a body that came
	sent     int             // messages of its own, each with a request for a receipt
	receipts map[string]bool // ids of its messages for which a receipt came
	seen     map[string]bool // full JIDs of the client that were seen available
}

// newPartner logs in until the test ends.
func newPartner(t *testing.T, addr string, cfg *tls.Config) *partner {
	t.Helper()
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	features := []mellium.StreamFeature{mellium.SASL("", secret, sasl.ScramSha256, sasl.ScramSha1), mellium.BindResource()}
	session, err := mellium.NewSession(ctx, jid.MustParse(harness.Domain), jid.MustParse("partner@"+harness.Domain), conn, mellium.Secure,
		mellium.NewNegotiator(func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
			return mellium.StreamConfig{Features: features}
		}))
	if err != nil {
		t.Fatalf("partner: login: %v", err)
	}
	p := &partner{jid: session.LocalAddr().String(), receipts: map[string]bool{}, seen: map[string]bool{}}
	served := make(chan error, 1)
	go func() { served <- session.Serve(p) }() // ends with the stream, which the cleanup closes
	t.Cleanup(func() {
		_ = conn.Close()
		<-served
	})
	if err := session.Send(ctx, stanza.Presence{}.Wrap(nil)); err != nil {
		t.Fatalf("partner: presence: %v", err)
	}
	return p
}

// item is a stanza as the partner reads and writes it.
type item struct {
	XMLName  xml.Name
	From     string    `xml:"from,attr,omitempty"`
	To       string    `xml:"to,attr,omitempty"`
	Type     string    `xml:"type,attr,omitempty"`
	ID       string    `xml:"id,attr,omitempty"`
	Body     string    `xml:"body,omitempty"`
	Request  *struct{} `xml:"urn:xmpp:receipts request"`
	Received *struct {
		ID string `xml:"id,attr"`
	} `xml:"urn:xmpp:receipts received"`
}

// HandleXMPP takes every stanza; requests are left to the library, which refuses them.
func (p *partner) HandleXMPP(rw xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	if start.Name.Local == "iq" {
		return nil
	}
	var got item
	if err := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), rw)).Decode(&got); err != nil {
		return err
	}
	for _, answer := range p.answers(got) {
		answer.XMLName, answer.To = xml.Name{Local: start.Name.Local}, got.From
		if err := rw.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

func (p *partner) answers(got item) []item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got.Body != "" {
		p.heard++
	}
	switch {
	case got.Received != nil:
		p.receipts[got.Received.ID] = true
	case got.Request != nil && got.Body != "":
		p.sent++
		receipt := item{Type: got.Type, ID: "receipt-" + got.ID, Received: &struct {
			ID string `xml:"id,attr"`
		}{got.ID}}
		return []item{receipt, {Type: "chat", ID: "partner-" + strconv.Itoa(p.sent), Body: "and you?", Request: &struct{}{}}}
	case got.XMLName.Local == "presence" && got.Type == "" && strings.HasPrefix(got.From, account+"@"):
		p.seen[got.From] = true
	case got.Type == "subscribe":
		from, err := jid.Parse(got.From)
		if err == nil && from.Equal(from.Bare()) {
			return []item{{Type: "subscribed"}, {Type: "subscribe"}}
		}
	}
	return nil
}

// forget starts a new count for a client's next run.
func (p *partner) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = 0
	clear(p.receipts)
	clear(p.seen)
}

// confirms says whether the partner saw its side of a step within a short time: a client's word is not enough for what the partner must have got.
func (p *partner) confirms(ctx context.Context, step string) bool {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	end := time.After(15 * time.Second)
	for !p.saw(step) {
		select {
		case <-look.C:
		case <-end:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (p *partner) saw(step string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch step {
	case "message":
		return p.heard > 0
	case "answer":
		return len(p.receipts) > 0
	case "presence":
		return len(p.seen) > 0
	}
	return true
}
