package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/access"
	"signalbox/internal/events"
)

// quietStore is an outbox in which nothing happens.
type quietStore struct{ events.Store }

func (quietStore) ReadEvents(context.Context, int64, int) ([]events.Event, error) { return nil, nil }
func (quietStore) EventBounds(context.Context) (events.Bounds, error) {
	return events.Bounds{Newest: 7}, nil
}
func (quietStore) WatchEvents() <-chan struct{} { return nil }

// TestEventStreamInVirtualTime: a stream outlives the times of a request by far, and a reader that stops reading is cut.
func TestEventStreamInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := events.NewHub(events.Default(), quietStore{}, zap.NewNop(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Default(), Deps{Tokens: access.New(oneToken{}, time.Now), Metrics: http.NotFoundHandler(), Events: hub}, zap.NewNop(), prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- hub.Run(ctx) }()
		l := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
		go func() { ended <- s.Serve(ctx, l) }()
		c := l.dial()
		defer c.Close()
		_, err = fmt.Fprintf(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sbx_%s\r\n\r\n", strings.Repeat("A", 43))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines, start := bufio.NewScanner(res.Body), time.Now()
		for n := 0; n <= 20 && lines.Scan(); { // the first says where it begins
			if lines.Text() == "id: 7" {
				n++
			}
		}
		if took, want := time.Since(start), 20*events.Default().Heartbeat; took != want {
			t.Errorf("20 heartbeats took %v, want %v", took, want)
		}
		time.Sleep(events.Default().Heartbeat + eventWrite + time.Second)
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("a reader that did not read was not cut")
		}
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
