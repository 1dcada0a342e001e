package console

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	coder "github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// pipes is a listener for connections in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// inBubble has a test talk with the signalling of a console in virtual time.
func inBubble(t *testing.T, test func(t *testing.T, broker *fakeBroker, ws *coder.Conn, client *gate)) {
	synctest.Test(t, func(t *testing.T) {
		broker := newFakeBroker()
		h, err := New(Deps{Domain: domain, Seats: broker, Base: func() string { return "https://a.example" }, Files: pageFiles}, zap.NewNop(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		listener, served := make(pipes), make(chan error, 1)
		srv := &http.Server{Handler: h}
		go func() { served <- srv.Serve(listener) }()
		near, server := net.Pipe()
		listener <- server
		client := &gate{Conn: near, shut: make(chan struct{}), closed: make(chan struct{})}
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
		ws, _, err := coder.Dial(t.Context(), "ws://a.example"+SignalPath, &coder.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{signalProtocol}})
		if err != nil {
			t.Fatal(err)
		}
		test(t, broker, ws, client)
		_ = ws.CloseNow()
		close(listener)
		<-served
		_ = srv.Close()
		synctest.Wait()
	})
}

// TestStrangersHaveToAttach: a connection on which nobody attaches is closed.
func TestStrangersHaveToAttach(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *fakeBroker, ws *coder.Conn, _ *gate) {
		start := time.Now()
		closes(t, ws, endSilent)
		if took := time.Since(start); took != attachWithin {
			t.Errorf("closed after %v, want %v", took, attachWithin)
		}
	})
}

// gate is a connection from which nothing is read any more once it is shut.
type gate struct {
	net.Conn
	shut, closed chan struct{}
}

func (g *gate) Read(p []byte) (int, error) {
	select {
	case <-g.shut:
		<-g.closed
		return 0, net.ErrClosed
	default:
		return g.Conn.Read(p)
	}
}

// TestLostTechnician: a technician whose machine is gone without a word loses the seat, so that the session can wait for them; one who is there keeps it.
func TestLostTechnician(t *testing.T) {
	inBubble(t, func(t *testing.T, broker *fakeBroker, ws *coder.Conn, client *gate) {
		say(t, ws, attachText)
		var first map[string]any
		hear(t, ws, &first)
		seat := <-broker.attached
		reading := make(chan struct{})
		go func() { // answers pings
			defer close(reading)
			_, _, _ = ws.Read(t.Context())
		}()
		time.Sleep(5 * pingEach)
		synctest.Wait()
		select {
		case <-seat.detached:
			t.Fatal("who answers is let go")
		default:
		}
		start := time.Now()
		close(client.shut)
		<-seat.detached
		if took := time.Since(start); took < pongWithin || took > 2*pingEach+pongWithin { // one more ping may be answered
			t.Errorf("the seat was free after %v", took)
		}
		close(client.closed)
		<-reading
	})
}
