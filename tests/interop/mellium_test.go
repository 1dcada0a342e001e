package interop

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	mellium "mellium.im/xmpp"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/mux"
	"mellium.im/xmpp/ping"
	"mellium.im/xmpp/receipts"
	"mellium.im/xmpp/stanza"

	"signalbox/tests/harness"
)

// TestMellium has the Go library mellium.im/xmpp as endpoint: with channel binding over TLS 1.3, without it over STARTTLS and TLS 1.2.
func TestMellium(t *testing.T) {
	t.Parallel()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t)
		conn, err := (&tls.Dialer{Config: s.TLS()}).DialContext(t.Context(), "tcp", s.Addr("tls"))
		if err != nil {
			t.Fatal(err)
		}
		work(t, s, conn, mellium.Secure, mellium.SASL("", "s3cret-1", sasl.ScramSha256Plus))
	})
	t.Run("starttls", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t)
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", s.Addr("xmpp"))
		if err != nil {
			t.Fatal(err)
		}
		work(t, s, conn, 0, mellium.StartTLS(harness.TLS12(s.TLS())), mellium.SASL("", "s3cret-1", sasl.ScramSha256))
	})
}

// work logs in with these features, asks the server this and that, and answers a push.
func work(t *testing.T, s *harness.Server, conn io.ReadWriter, state mellium.SessionState, features ...mellium.StreamFeature) {
	t.Helper()
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	features = append(features, mellium.BindResource())
	session, err := mellium.NewSession(ctx, jid.MustParse(harness.Domain), jid.MustParse("pc-1@"+harness.Domain), conn, state,
		mellium.NewNegotiator(func(*mellium.Session, *mellium.StreamConfig) mellium.StreamConfig {
			return mellium.StreamConfig{Features: features}
		}))
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	pushes, served := make(chan string, 1), make(chan error, 1)
	go func() { served <- session.Serve(endpoint(pushes)) }() // ends with the stream, see below
	if err := session.Send(ctx, stanza.Presence{}.Wrap(nil)); err != nil {
		t.Fatalf("presence: %v", err)
	}
	server := jid.MustParse(harness.Domain)
	if err := ping.Send(ctx, session, server); err != nil {
		t.Errorf("ping: %v", err)
	}
	info, err := disco.GetInfo(ctx, "", server, session)
	if err != nil || len(info.Identity) != 1 || info.Identity[0].Category != "server" {
		t.Errorf("disco#info = %+v, %v; want one identity of category server", info, err)
	}
	var vars []string
	for _, f := range info.Features {
		vars = append(vars, f.Var)
	}
	if !slices.Contains(vars, ping.NS) || !slices.Contains(vars, disco.NSInfo) {
		t.Errorf("features = %v, want ping and disco#info among them", vars)
	}
	id := s.Submit(t, `{"to":"pc-1","type":"demo.first","payload":{"n":1}}`)
	select {
	case got := <-pushes:
		if got != id {
			t.Errorf("got push %s, want %s", got, id)
		}
	case err := <-served:
		t.Fatalf("stream ended: %v", err)
	case <-ctx.Done():
		t.Fatal("no push came")
	}
	s.AwaitPush(t, id, "delivered")
	if err := session.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-served; err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("stream ended with %v", err)
	}
	s.AwaitPresence(t, "pc-1", "offline")
}

// endpoint notes the ids of pushes and leaves the receipts to the library.
func endpoint(pushes chan<- string) mellium.Handler {
	note := mux.MessageHandlerFunc(func(m stanza.Message, t xmlstream.TokenReadEncoder) error {
		pushes <- m.ID
		return nil
	})
	return mux.New(stanza.NSClient,
		mux.Message(stanza.NormalMessage, xml.Name{Space: "urn:signalbox:push:1", Local: "push"}, note),
		receipts.Handle(&receipts.Handler{}),
	)
}
