package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/events"
)

// BenchmarkEvents sends events of 100 endpoints to a receiver on loopback, which answers at once or after 20 ms, as one at another site does.
func BenchmarkEvents(b *testing.B) {
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		b.Run(fmt.Sprint("answer after ", delay), func(b *testing.B) {
			m := newMemory()
			srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				timer := time.NewTimer(delay)
				<-timer.C
			}))
			defer srv.Close()
			cfg := Default()
			cfg.WebhookAllow = []string{"127.0.0.0/8"}
			s, err := New(cfg, Deps{Store: m, Outbox: m, Wake: m.wake, DataDir: b.TempDir()}, zap.NewNop(), nil)
			if err != nil {
				b.Fatal(err)
			}
			r := &rig{memory: m, Service: s}
			w, err := s.Create(b.Context(), Draft{URL: srv.URL, Types: []string{"endpoint.*"}, Insecure: true})
			if err != nil {
				b.Fatal(err)
			}
			for i := range b.N {
				m.add(0, event(events.EndpointUpdated, fmt.Sprint("pc-", i%100)))
			}
			b.ResetTimer()
			r.run()
			look := time.NewTicker(time.Millisecond)
			defer look.Stop()
			for done := false; !done; {
				<-look.C
				stored, err := m.Webhook(b.Context(), w.ID)
				if err != nil {
					b.Fatal(err)
				}
				done = stored.Cursor >= int64(b.N)
			}
			b.StopTimer()
			r.halted()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
