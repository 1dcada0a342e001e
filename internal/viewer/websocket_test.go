package viewer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox/internal/signalling"
)

// served returns the URL of a WebSocket that serve serves, for a minute at most. The test does not end before serve does.
func served(t *testing.T, serve func(context.Context, *websocket.Conn)) (url string) {
	t.Helper()
	var serving sync.WaitGroup
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		serving.Add(1)
		defer serving.Done()
		ctx, cancel := context.WithTimeout(r.Context(), time.Minute) // a test that goes wrong ends
		defer cancel()
		ws, err := websocket.Accept(rw, r, &websocket.AcceptOptions{Subprotocols: Subprotocols[1:]})
		if err != nil {
			return
		}
		defer ws.CloseNow() //nolint:errcheck // it is over
		if ws.Subprotocol() != Subprotocols[1] {
			t.Errorf("the subprotocol is %q", ws.Subprotocol())
		}
		serve(ctx, ws)
	}))
	t.Cleanup(func() {
		s.Close() // does not wait for WebSockets
		serving.Wait()
	})
	return s.URL
}

// A line of the JSON spelling says Attach first, and hears what the server says.
func TestWebSocket(t *testing.T) {
	url := served(t, func(ctx context.Context, ws *websocket.Conn) {
		_, data, err := ws.Read(ctx)
		if err != nil || string(data) != `{"type":"attach","id":"ses_06d5wq2k40000","token":"t0ken"}` {
			t.Errorf("the first message is %s, %v", data, err)
		}
		if err := ws.Write(ctx, websocket.MessageText, []byte(`{"type":"ice","id":"ses_06d5wq2k40000","ice_servers":[]}`)); err != nil {
			t.Error(err)
		}
		_, _, _ = ws.Read(ctx) // the end
	})
	l, err := WebSocket(url, nil)(t.Context(), signalling.Attach{About: signalling.About{ID: session}, Token: "t0ken"})
	must(t, err)
	m, err := l.Receive(t.Context())
	if _, ok := m.(signalling.ICE); !ok || err != nil {
		t.Errorf("got %#v, %v", m, err)
	}
	must(t, l.Close())
}

// After some ends there is no use in coming back.
func TestWebSocketEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(context.Context, *websocket.Conn) error
		why  string // of a refusal; empty: it is none
	}{
		{"refused", func(_ context.Context, ws *websocket.Conn) error { return ws.Close(4401, "refused") }, "refused"},
		{"replaced", func(_ context.Context, ws *websocket.Conn) error { return ws.Close(4409, "replaced") }, "replaced"},
		{"rule broken", func(_ context.Context, ws *websocket.Conn) error {
			return ws.Close(websocket.StatusPolicyViolation, "too_large")
		}, "too_large"},
		{"too slow", func(_ context.Context, ws *websocket.Conn) error { return ws.Close(4408, "too_slow") }, ""},
		{"too many", func(_ context.Context, ws *websocket.Conn) error { return ws.Close(4429, "too_many") }, ""},
		{"stopping", func(_ context.Context, ws *websocket.Conn) error {
			return ws.Close(websocket.StatusGoingAway, "stopping")
		}, ""},
		{"lost", func(_ context.Context, ws *websocket.Conn) error { return ws.CloseNow() }, ""},
		{"bytes", func(ctx context.Context, ws *websocket.Conn) error {
			return ws.Write(ctx, websocket.MessageBinary, []byte("x"))
		}, "it speaks another protocol: a binary message came"},
		{"no message", func(ctx context.Context, ws *websocket.Conn) error {
			return ws.Write(ctx, websocket.MessageText, []byte("x"))
		},
			"it speaks another protocol: malformed: it must be one JSON object in UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := served(t, func(ctx context.Context, ws *websocket.Conn) {
				_, _, _ = ws.Read(ctx) // attach
				_ = tc.end(ctx, ws)    // the other side ends it, too
				_, _, _ = ws.Read(ctx)
			})
			l, err := WebSocket(url, nil)(t.Context(), signalling.Attach{About: signalling.About{ID: session}, Token: "t0ken"})
			must(t, err)
			_, err = l.Receive(t.Context())
			var refused *RefusedError
			if err == nil || errors.As(err, &refused) != (tc.why != "") || refused != nil && refused.Why != tc.why {
				t.Errorf("Receive = %v, want a refusal %q", err, tc.why)
			}
			_ = l.Close() // it has ended
		})
	}
}

// A line whose server gives no sign of life ends by being asked for one; another goes on.
func TestWebSocketCheck(t *testing.T) {
	for answers, within := range map[bool]time.Duration{true: time.Minute, false: 100 * time.Millisecond} {
		checked := make(chan struct{})
		url := served(t, func(ctx context.Context, ws *websocket.Conn) {
			if answers {
				_, _, _ = ws.Read(ctx) // attach
				ctx = ws.CloseRead(ctx)
			}
			<-checked
			_ = ws.Write(ctx, websocket.MessageText, []byte(`{"type":"ice","id":"ses_06d5wq2k40000","ice_servers":[]}`)) // to nobody, perhaps
		})
		l, err := WebSocket(url, nil)(t.Context(), signalling.Attach{About: signalling.About{ID: session}, Token: "t0ken"})
		must(t, err)
		received := make(chan error, 1)
		go func() {
			_, err := l.Receive(t.Context())
			received <- err
		}()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		l.Check(ctx)
		cancel()
		close(checked)
		if err := <-received; (err == nil) != answers {
			t.Errorf("a server that answers (%v): Receive = %v", answers, err)
		}
		_ = l.Close() // it may have ended
	}
}

// What is no WebSocket says so.
func TestNoWebSocket(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err := WebSocket(s.URL, nil)(t.Context(), signalling.Attach{About: signalling.About{ID: session}})
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("Call = %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
