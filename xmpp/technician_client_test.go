package xmpp

import (
	"context"
	"encoding/xml"
	"net"
	"slices"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/link"
	"signalbox/internal/signalling"
)

// TestTechnicianWithALibrary: a client that knows nothing of us but XMPP logs in as SESSION-ID@DOMAIN with the token, is told the state, ends the session, and is sent away.
func TestTechnicianWithALibrary(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b, side := technicianBench(t)
	side.early = []signalling.Message{state("connecting")}
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		b.ServeConn(ctx, ours, link.Info{Via: link.ViaTLS, TLS: link.TLS{Version: 0x0304}})
		b.driver.Wait()
	}()
	at := jid.MustParse(testSeat)
	session, err := mellium.NewSession(ctx, at.Domain(), at, theirs, mellium.Secure, mellium.NewNegotiator(func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
		return mellium.StreamConfig{Features: []mellium.StreamFeature{mellium.SASL("", "t0ken", sasl.Plain), mellium.BindResource()}}
	}))
	if err != nil || session.LocalAddr().Bare().String() != testSeat {
		t.Fatalf("login: %v", err)
	}
	told, over := make(chan string, 1), make(chan error, 1)
	go func() {
		over <- session.Serve(mellium.HandlerFunc(func(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
			for tok, err := r.Token(); ; tok, err = r.Token() {
				if el, ok := tok.(xml.StartElement); ok && el.Name == (xml.Name{Space: nsSession, Local: "state"}) {
					i := slices.IndexFunc(el.Attr, func(a xml.Attr) bool { return a.Name.Local == "state" })
					told <- el.Attr[max(0, i)].Value
				}
				if err != nil || tok == nil {
					return nil
				}
			}
		}))
	}()
	if got := <-told; got != "connecting" {
		t.Errorf("told of the state %q, want connecting", got)
	}
	payload := xmlstream.Wrap(nil, xml.StartElement{Name: xml.Name{Space: nsSession, Local: "end"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "id"}, Value: testSession}, {Name: xml.Name{Local: "reason"}, Value: "technician_ended"},
	}})
	if err := session.UnmarshalIQElement(ctx, payload, stanza.IQ{Type: stanza.SetIQ}, nil); err != nil || len(side.taken) != 1 || side.taken[0] != signalling.Message(end()) {
		t.Errorf("taken: %v, %v, want %v", side.taken, err, end())
	}
	side.closed("technician_ended")
	if err := <-over; err != nil {
		t.Errorf("the stream ended with %v, want no error", err)
	}
	_ = theirs.Close()
	<-served
}
