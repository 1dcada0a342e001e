package harness

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"

// ConnectWebSocket opens a WebSocket for XMPP. The stream on it sends and gets a message where others send and get an element: each declares its namespaces.
func (s *Server) ConnectWebSocket(t *testing.T, name string) *Stream {
	t.Helper()
	cfg := s.TLS()
	cfg.NextProtos = []string{"http/1.1"}
	var c net.Conn
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var err error
		c, err = (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", s.Addr("tls"))
		return c, err
	}}
	ws, _, err := websocket.Dial(t.Context(), "wss://"+Domain+"/xmpp-websocket", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"xmpp"},
	})
	if err != nil {
		t.Fatalf("%s: open a WebSocket: %v", name, err)
	}
	ws.SetReadLimit(4 << 20)
	st := newStream(t, name, c)
	st.ws = ws
	t.Cleanup(func() { _ = ws.CloseNow() })
	return st
}

// nextMessage is Next for a WebSocket.
func (st *Stream) nextMessage() string {
	st.t.Helper()
	_ = st.conn.SetReadDeadline(time.Now().Add(patience))
	typ, message, err := st.ws.Read(context.Background())
	switch ne, ok := err.(net.Error); {
	case ok && ne.Timeout():
		st.t.Fatalf("%s: nothing came for %v", st.name, patience)
	case err != nil:
		st.Code = int(websocket.CloseStatus(err))
		return "(closed)"
	case typ != websocket.MessageText:
		st.t.Fatalf("%s: got a binary message: %q", st.name, message)
	case strings.HasPrefix(string(message), "<open xmlns='"+nsFraming+"'"):
		return "(stream)"
	case string(message) == "<close xmlns='"+nsFraming+"'/>":
		return "(end)"
	}
	return string(message)
}

// SendBinary sends a binary message.
func (st *Stream) SendBinary(data []byte) {
	st.t.Helper()
	if err := st.ws.Write(context.Background(), websocket.MessageBinary, data); err != nil {
		st.t.Fatalf("%s: send: %v", st.name, err)
	}
}

// EndWebSocket closes the WebSocket as its protocol has it.
func (st *Stream) EndWebSocket() error { return st.ws.Close(websocket.StatusNormalClosure, "") }
