package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
)

const benchEndpoints = 20_000

// benchStore runs a store with many endpoints on the disk that holds the temporary directory.
func benchStore(b *testing.B) (*Store, []endpoint.Key) {
	b.Helper()
	s, err := Open(context.Background(), filepath.Join(b.TempDir(), FileName), Default(), zap.NewNop(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(start(b, s))
	_, secret, err := endpoint.GenerateSecret()
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]endpoint.Key, benchEndpoints)
	var wg sync.WaitGroup
	for part := range 64 {
		wg.Go(func() {
			for i := part; i < len(keys); i += 64 {
				keys[i] = endpoint.Key{Domain: "push.example", ID: fmt.Sprintf("pc-%06d", i)}
				e := endpoint.Endpoint{Key: keys[i], Enabled: true, Labels: map[string]string{"site": "paris"}, Created: time.Now()}
				if err := s.CreateEndpoint(b.Context(), e, secret); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return s, keys
}

// callers runs f b.N times from n goroutines and reports the rate and the latencies.
func callers(b *testing.B, n int, f func(i int)) {
	b.Helper()
	var next atomic.Int64
	took := make([][]time.Duration, n)
	b.ReportAllocs()
	wrote, used := bytesWritten(b), cpuSeconds(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range n {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				begin := time.Now()
				f(i)
				took[c] = append(took[c], time.Since(begin))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric((bytesWritten(b)-wrote)/1024/float64(b.N), "written-KiB/op")
	b.ReportMetric((cpuSeconds(b)-used)*1e6/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// bytesWritten returns what this process has written so far: unlike the time it does not depend on what else the disk does.
func bytesWritten(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	var n float64
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "wchar: %g", &n); err == nil {
			return n
		}
	}
	return 0
}

// cpuSeconds returns the processor time that this process has used so far, which other load disturbs less than the time on the clock.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // clock ticks of 10 ms
}

func BenchmarkAcceptPush(b *testing.B) {
	payload := []byte(fmt.Sprintf("{%q:%q}", "x", make([]byte, 80)))
	for len(payload) < 512 {
		payload = append(payload, ' ')
	}
	for _, keyed := range []bool{false, true} {
		for _, n := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("callers=%d/key=%v", n, keyed), func(b *testing.B) {
				s, keys := benchStore(b)
				callers(b, n, func(i int) {
					in := push.Submission{
						Push:  push.Push{To: keys[rand.IntN(len(keys))], Type: "demo.ping", Payload: payload, TTL: time.Hour},
						Queue: push.Queue{Count: 1000, Bytes: 1 << 20},
					}
					if keyed {
						key := push.NewIdempotency("tok_0123456789", strconv.Itoa(i), payload)
						in.Idempotency = &key
					}
					if _, err := s.AcceptPush(context.Background(), in); err != nil {
						b.Error(err)
					}
				})
			})
		}
	}
}

// prepared accepts n pushes for random endpoints.
func prepared(b *testing.B, s *Store, keys []endpoint.Key, n int) []push.Status {
	b.Helper()
	all := make([]push.Status, n)
	var wg sync.WaitGroup
	for part := range 256 {
		wg.Go(func() {
			for i := part; i < n; i += 256 {
				var err error
				p := push.Push{To: keys[rand.IntN(len(keys))], Type: "demo.ping", Payload: make([]byte, 512), TTL: time.Hour}
				if all[i], err = s.AcceptPush(b.Context(), push.Submission{Push: p}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return all
}

// BenchmarkAdvancePushes takes pushes from accepted over sent, which nobody waits for, to delivered.
func BenchmarkAdvancePushes(b *testing.B) {
	s, keys := benchStore(b)
	all := prepared(b, s, keys, b.N)
	callers(b, 256, func(i int) {
		p := all[i-1]
		s.AdvancePushes([]push.Transition{{ID: p.ID, Key: p.To, To: push.Sent, At: time.Now()}}, nil)
		done := make(chan error, 1)
		s.AdvancePushes([]push.Transition{{ID: p.ID, Key: p.To, To: push.Delivered, At: time.Now()}}, func(_ []push.Outcome, err error) { done <- err })
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkWaitingPushes(b *testing.B) {
	s, keys := benchStore(b)
	prepared(b, s, keys, 50_000)
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			callers(b, n, func(int) {
				if _, err := s.WaitingPushes(context.Background(), keys[rand.IntN(len(keys))], push.Cursor{}, 32); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

func BenchmarkEndpointSecret(b *testing.B) {
	s, keys := benchStore(b)
	callers(b, 1, func(int) {
		if _, _, err := s.EndpointSecret(context.Background(), keys[rand.IntN(len(keys))]); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkFanout takes targets of fan-outs from their acceptance in chunks of 1,000 to delivered, as the push service does; an operation is one target.
func BenchmarkFanout(b *testing.B) {
	s, keys := benchStore(b)
	b.ReportAllocs()
	used := cpuSeconds(b)
	b.ResetTimer()
	for n := 0; n < b.N; n += 1000 {
		to := make([]string, 1000)
		for i := range to {
			to[i] = keys[(n+i)%len(keys)].ID
		}
		chunk := push.FanoutChunk{
			Push: push.Push{To: endpoint.Key{Domain: keys[0].Domain}, Type: "demo.ping", Payload: make([]byte, 512), TTL: time.Hour}, Targets: len(to), To: to,
			Queue: push.Queue{Count: 1000, Bytes: 1 << 20},
		}
		out, err := s.AcceptTargets(b.Context(), chunk)
		if err != nil {
			b.Fatal(err)
		}
		var changes []push.Transition
		for i, t := range out.Targets {
			k := endpoint.Key{Domain: keys[0].Domain, ID: to[i]}
			changes = append(changes, push.Transition{ID: t.ID, Key: k, To: push.Sent, At: time.Now()}, push.Transition{ID: t.ID, Key: k, To: push.Delivered, At: time.Now()})
		}
		done := make(chan error, 4)
		for part := range slices.Chunk(changes, 500) {
			s.AdvancePushes(part, func(_ []push.Outcome, err error) { done <- err })
		}
		for range 4 {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	b.ReportMetric((cpuSeconds(b)-used)*1e6/float64(b.N), "cpu-us/op")
}

// BenchmarkReadEvents reads the outbox as those do who follow it; an operation is one event.
func BenchmarkReadEvents(b *testing.B) {
	s, keys := benchStore(b)
	var wg sync.WaitGroup
	for part := range 64 {
		wg.Go(func() {
			for i := part; i < 10_000; i += 64 {
				if _, err := s.AcceptPush(b.Context(), push.Submission{Push: push.Push{To: keys[i], Type: "demo.ping", TTL: time.Hour}}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.ReportAllocs()
	used := cpuSeconds(b)
	b.ResetTimer()
	after := int64(benchEndpoints) // behind the events of their making
	for n := 0; n < b.N; {
		all, err := s.ReadEvents(b.Context(), after, 500)
		if err != nil {
			b.Fatal(err)
		}
		if n, after = n+len(all), benchEndpoints; len(all) == 500 {
			after = all[499].Seq
		}
	}
	b.StopTimer()
	b.ReportMetric((cpuSeconds(b)-used)*1e6/float64(b.N), "cpu-us/op")
}
