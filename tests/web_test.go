package tests

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// TestWebPaths: what is served by HTTP on the shared port, and what must never be.
func TestWebPaths(t *testing.T) {
	s := harness.Start(t)
	for _, tc := range []struct {
		request string
		status  int
	}{
		{"GET /", 302},
		{"POST /", 404},
		{"GET /console", 302},
		{"GET /console/", 200},
		{"POST /console/", 404},
		{"GET /console/nothing", 404},
		{"GET /console/api/me", 401},
		{"GET /console/api/endpoints", 401},
		{"POST /console/api/signin", 403},
		{"GET /console/api/v1/endpoints", 404},
		{"GET /console/signal", 426},
		{"GET /v1/endpoints", 404},
		{"POST /v1/pushes", 404},
		{"GET /rest/stream", 404},
		{"GET /metrics", 404},
		{"GET /livez", 404},
		{"GET /readyz", 404},
		{"GET /openapi.json", 404},
		{"GET /xmpp-websocket/", 404},
		{"GET /.well-known/", 404},
		{"GET /xmpp-websocket", 426},
		{"POST /xmpp-websocket", 405},
		{"PUT /.well-known/host-meta", 405},
		{"DELETE /.well-known/host-meta.json", 405},
		{"OPTIONS *", 400},
		{"OPTIONS /.well-known/host-meta", 405},
		{"CONNECT example.com:443", 404},
		{"GET /.well-known/host-meta", 200},
		{"HEAD /.well-known/host-meta", 200},
		{"GET /.well-known/host-meta.json", 200},
	} {
		t.Run(tc.request, func(t *testing.T) {
			r := dialWeb(t, s)
			if got := r.ask(tc.request + " HTTP/1.1\r\nHost: " + harness.Domain + "\r\nAuthorization: Bearer " + s.Token + "\r\n\r\n"); got != tc.status {
				t.Errorf("status %d, want %d", got, tc.status)
			}
			if allow := r.resp.Header.Get("Allow"); (tc.status == 405) != (allow == "GET, HEAD") {
				t.Errorf("Allow: %s", allow)
			}
		})
	}
}

func TestHostMetaSaysWhere(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   string // $port is the real one
	}{
		"by itself": {func(*config.Config) {}, "wss://" + harness.Domain + ":$port/xmpp-websocket"},
		"as said":   {func(c *config.Config) { c.XMPP.WebSocketURL = "wss://public.example/xmpp-websocket" }, "wss://public.example/xmpp-websocket"},
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.Start(t, tc.change)
			_, port, err := net.SplitHostPort(s.Addr("tls"))
			if err != nil {
				t.Fatal(err)
			}
			r := dialWeb(t, s)
			r.ask("GET /.well-known/host-meta.json HTTP/1.1\r\nHost: x\r\n\r\n")
			body, err := io.ReadAll(r.resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Links []struct{ Rel, Href string } }
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(tc.want, "$port", port)
			if len(got.Links) != 1 || got.Links[0].Href != want {
				t.Errorf("host-meta.json = %s, want %s", body, want)
			}
		})
	}
}

// TestWebProtocols is row 50: what was agreed on in the handshake is what is spoken.
func TestWebProtocols(t *testing.T) {
	s := harness.Start(t)
	r := dialWeb(t, s)
	if got := r.ask("<?xml version='1.0'?><stream:stream to='" + harness.Domain + "' version='1.0'>\r\n\r\n"); got != 400 {
		t.Errorf("XMPP to HTTP: status %d, want 400", got)
	}
	bare := dialWebBy(t, s)
	if got := bare.ask(handshake()); got != 101 {
		t.Errorf("HTTP without ALPN: status %d, want 101", got)
	}
	bare.text(framingOpen)
	bare.until("<stream:features")
	st := s.Connect(t, "http")
	st.Send(handshake())
	st.Restart()
	if got := st.Next(); got != "(stream)" {
		t.Errorf("HTTP to XMPP: %s", got)
	}
	st.Want("<stream:error><not-well-formed ")
}
