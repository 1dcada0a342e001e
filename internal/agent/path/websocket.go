package path

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	coder "github.com/coder/websocket"

	"signalbox/internal/agent/ladder"
	"signalbox/xmpp/scan"
)

// What the server's WebSocket is (RFC 7395 sections 3.1 and 4, and the server's path).
const (
	webSocketPath = "/xmpp-websocket"
	subprotocol   = "xmpp"
)

// webSocketTimeout bounds the wait for the answer to the upgrade.
const webSocketTimeout = 20 * time.Second

// messageLimits bound one message of the server: a payload of 64 KiB of which every byte is escaped, and what stands around it.
var messageLimits = scan.Limits{Bytes: 1 << 20, Depth: 32, Attributes: 64, Namespaces: 64}

// webSocket makes TLS and opens the WebSocket on conn. It closes conn if it fails; every error is a *ladder.Failure.
func (f *Finder) webSocket(ctx context.Context, r Route, conn net.Conn, climb Climb) (net.Conn, error) {
	cfg := f.TLS.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	secured, err := Handshake(ctx, conn, cfg)
	if err != nil {
		return nil, f.doubtClock(ctx, r, err)
	}
	climb(ladder.TLS, Describe(secured.ConnectionState()))
	ctx, cancel := context.WithTimeout(ctx, webSocketTimeout)
	defer cancel()
	ws, err := upgrade(ctx, secured, f.Domain)
	if err != nil {
		secured.Close()
		return nil, err
	}
	return newStreamConn(secured, ws), nil
}

// upgrade makes the handshake of RFC 6455 section 4.1.
func upgrade(ctx context.Context, secured *tls.Conn, domain string) (*coder.Conn, error) {
	var taken atomic.Bool
	transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		if taken.Swap(true) {
			return nil, errOneConnection
		}
		return secured, nil
	}}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ws, answer, err := coder.Dial(ctx, "wss://"+domain+webSocketPath, &coder.DialOptions{
		HTTPClient: client, Subprotocols: []string{subprotocol}, HTTPHeader: http.Header{"User-Agent": {"signalbox-agent"}}, CompressionMode: coder.CompressionDisabled,
	})
	switch {
	case err != nil && answer != nil:
		return nil, ladder.New(ladder.NoWebSocket, "the answer is "+answer.Status, err)
	case err != nil && (isTimeout(err) || ctx.Err() != nil):
		return nil, ladder.New(ladder.StreamSilent, "", err)
	case err != nil && isClosed(err):
		return nil, ladder.New(ladder.StreamClosed, "", err)
	case err != nil:
		return nil, ladder.New(ladder.NoWebSocket, "", err)
	case ws.Subprotocol() != subprotocol:
		_ = ws.CloseNow()
		return nil, ladder.New(ladder.NoWebSocket, fmt.Sprintf("the subprotocol is %q", ws.Subprotocol()), nil)
	}
	ws.SetReadLimit(int64(messageLimits.Bytes))
	return ws, nil
}

var errOneConnection = errors.New("there is one connection for the upgrade")

// streamConn is a WebSocket that looks like a connection of RFC 6120: each message from the server is its element in the stream, and what is written is cut into messages. One
// goroutine reads and another one writes at a time; the deadlines are those of the connection below, and one that passes ends it.
type streamConn struct {
	*tls.Conn // for addresses, deadlines and the state of TLS
	ws        *coder.Conn

	ready []byte // owned by the reader: what it has not taken yet
	out   outward
}

func newStreamConn(secured *tls.Conn, ws *coder.Conn) *streamConn {
	return &streamConn{Conn: secured, ws: ws}
}

// Read implements net.Conn.
func (c *streamConn) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		typ, message, err := c.ws.Read(context.Background())
		switch {
		case coder.CloseStatus(err) != -1:
			return 0, io.EOF
		case err != nil:
			return 0, err
		case typ != coder.MessageText:
			return 0, errBinary
		}
		if c.ready, err = inward(message); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

var errBinary = errors.New("the server sent a binary message")

// Write implements net.Conn.
func (c *streamConn) Write(p []byte) (int, error) {
	err := c.out.write(p, func(message []byte) error { return c.ws.Write(context.Background(), coder.MessageText, message) })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the connection; the stream was closed before, if it could be.
func (c *streamConn) Close() error { return errors.Join(c.ws.CloseNow(), closed(c.Conn.Close())) }

// closed forgets that a connection was closed already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
