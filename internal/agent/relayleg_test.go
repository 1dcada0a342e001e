package agent

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"signalbox/internal/channel"
)

// A leg of the relay is a WebSocket inside TLS, verified by the authorities of the agent; the relay leads nowhere else.
func TestRelayLeg(t *testing.T) {
	cert, _ := testCert()
	mux := http.NewServeMux()
	mux.HandleFunc("/relay/ticket", func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		kind, data, err := ws.Read(r.Context())
		if err == nil {
			err = ws.Write(r.Context(), kind, data)
		}
		if err != nil {
			t.Error(err)
		}
		_ = ws.Close(websocket.StatusNormalClosure, "") // the test has all that it wants
	})
	mux.HandleFunc("/relay/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
	})
	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	defer server.Close()
	cfg := testConfig(t)
	cfg.Proxy = "direct"
	a, err := New(cfg, "v", zap.NewNop())
	must(t, err)
	a.ways.Dial = new(net.Dialer).DialContext
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	base := "wss://" + server.Listener.Addr().String() + "/relay/"
	c, err := a.dialRelay(ctx, base+"ticket")
	must(t, err)
	must(t, c.Send(ctx, channel.Message{Text: true, Data: []byte("hello")}))
	if m, err := c.Receive(ctx); err != nil || !m.Text || string(m.Data) != "hello" {
		t.Errorf("Receive() = %q, %v", m.Data, err)
	}
	_ = c.Close() // the other side closes as well
	for _, ticket := range []string{"elsewhere", "unknown"} {
		if c, err := a.dialRelay(ctx, base+ticket); err == nil {
			t.Errorf("%s: a channel", ticket)
			_ = c.Close()
		}
	}
}
