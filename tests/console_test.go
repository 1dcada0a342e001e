package tests

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	coder "github.com/coder/websocket"

	"signalbox/tests/harness"
)

// browser is a technician's browser on the shared port.
type browser struct {
	t      *testing.T
	server *harness.Server
	client *http.Client
	base   string
}

func newBrowser(t *testing.T, s *harness.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(s.Addr("tls"))
	if err != nil {
		t.Fatal(err)
	}
	tlsConfig := s.TLS()
	tlsConfig.NextProtos = []string{"http/1.1"}
	transport := &http.Transport{TLSClientConfig: tlsConfig, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Addr("tls"))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, s, &http.Client{Transport: transport, Jar: jar}, "https://" + harness.Domain + ":" + port}
}

// do sends a request as the pages do, decodes the answer into v unless that is nil, and returns its status.
func (b *browser) do(method, path, body string, v any) int {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if method != http.MethodGet {
		r.Header.Set("Origin", b.base)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Signalbox-Console", "1")
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			b.t.Fatalf("%s %s: %s: %v", method, path, data, err)
		}
	}
	return resp.StatusCode
}

// socket opens a WebSocket of the pages.
func (b *browser) socket(path, protocol string) *coder.Conn {
	b.t.Helper()
	ws, _, err := coder.Dial(b.t.Context(), b.base+path, &coder.DialOptions{HTTPClient: b.client, Subprotocols: []string{protocol}, HTTPHeader: http.Header{"Origin": {b.base}}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// hear reads messages until one holds a text.
func hear(t *testing.T, ws *coder.Conn, text string) {
	t.Helper()
	for {
		_, data, err := ws.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), text) {
			return
		}
	}
}

// TestConsole: from a link of the management server over presence as it changes to a session that an endpoint is asked for, and out again.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	register(t, s, "pc-2")
	s.Call(t, "PATCH", "/v1/endpoints/pc-1", `{"groups":["paris"]}`, http.StatusOK)
	s.Call(t, "POST", "/v1/roles", `{"name":"desk","kinds":["terminal"],"groups":["paris"]}`, http.StatusCreated)
	s.Call(t, "POST", "/v1/technicians", `{"name":"ada","display_name":"Ada","roles":["desk"]}`, http.StatusCreated)
	_, answer := s.Call(t, "POST", "/v1/technicians/ada/link", "", http.StatusCreated)
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(answer), &link); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s)
	page, token, ok := strings.Cut(link.URL, "#/signin/")
	if !ok || page != b.base+"/console/" {
		t.Fatalf("link = %s, want one to %s", link.URL, b.base)
	}
	if got := b.do("POST", "/console/api/signin/link", `{"token":"`+token+`"}`, nil); got != http.StatusOK {
		t.Fatalf("sign-in: %d", got)
	}
	var list struct{ Items []struct{ ID string } }
	if b.do("GET", "/console/api/endpoints", "", &list); len(list.Items) != 1 || list.Items[0].ID != "pc-1" {
		t.Errorf("endpoints = %+v", list)
	}
	live := b.socket("/console/api/live", "signalbox-live")
	if err := live.Write(t.Context(), coder.MessageText, []byte(`{"watch":{"endpoints":["pc-1"]}}`)); err != nil {
		t.Fatal(err)
	}
	hear(t, live, `"state":"never"`)
	var refused struct{ Code string }
	if got := b.do("POST", "/console/api/sessions", `{"endpoint":"pc-1"}`, &refused); got != http.StatusConflict || refused.Code != "endpoint_offline" {
		t.Errorf("a session while it is offline: %d %s", got, refused.Code)
	}
	pc := online(t, s, "pc-1")
	hear(t, live, `"state":"online"`)
	var opened struct{ ID, Token, State string }
	if got := b.do("POST", "/console/api/sessions", `{"endpoint":"pc-1","why":"ticket 4711"}`, &opened); got != http.StatusCreated {
		t.Fatalf("a session: %d", got)
	}
	pc.Want("<offer ")
	hear(t, live, opened.ID)
	signal := b.socket("/console/signal", "signalbox-session")
	if err := signal.Write(t.Context(), coder.MessageText, []byte(`{"type":"attach","id":"`+opened.ID+`","token":"`+opened.Token+`"}`)); err != nil {
		t.Fatal(err)
	}
	hear(t, signal, `"type":"state"`)
	s.Call(t, "PATCH", "/v1/technicians/ada", `{"enabled":false}`, http.StatusOK)
	hear(t, signal, `"technician_disabled"`)
	for _, ws := range []*coder.Conn{live, signal} {
		for {
			if _, _, err := ws.Read(t.Context()); err != nil {
				break
			}
		}
	}
	if got := b.do("GET", "/console/api/me", "", nil); got != http.StatusUnauthorized {
		t.Errorf("after the account was disabled: %d", got)
	}
	for _, action := range []string{"technician.created", "technician.linked", "technician.login", "technician.disabled", "session.requested", "session.attached", "session.ended"} {
		var trail string
		harness.Await(t, func() bool { // the technician hears of the end before it is written
			_, trail = s.Call(t, "GET", "/v1/audit?limit=100", "", http.StatusOK)
			return strings.Contains(trail, `"`+action+`"`)
		}, func() string { return "the audit trail has no " + action + ": " + trail })
	}
}
