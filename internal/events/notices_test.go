package events

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

// shelf is certificates that a test changes.
type shelf struct {
	mu      sync.Mutex
	certs   []Certificate
	changed chan struct{}
}

func (s *shelf) Certificates() []Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.certs
}

func (s *shelf) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *shelf) set(certs ...Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certs = certs
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

// running runs a part until the returned function is called.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			t.Error(err)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

func TestCertificatesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := newMemory(), &shelf{}
		end := time.Now().Add(31 * day)
		s.set(Certificate{File: "a.pem", Names: []string{"a.test"}, SHA256: "aa", NotAfter: end})
		stop := running(t, NewCertWatch(s, m, zap.NewNop()).Run)
		var days []string
		for range 34 * 24 {
			time.Sleep(time.Hour)
			synctest.Wait()
			for _, line := range m.told() {
				days = append(days, line[strings.LastIndexByte(line, ':'):])
			}
			if len(days) == 2 { // what was told is not told again after a restart
				stop()
				stop = running(t, NewCertWatch(s, m, zap.NewNop()).Run)
			}
		}
		stop()
		if diff := cmp.Diff([]string{":30}", ":14}", ":7}", ":1}"}, days); diff != "" {
			t.Errorf("days that were left (-want +got):\n%s", diff)
		}
		// Another certificate that is late already is told of once, for the nearest number.
		s.set(Certificate{File: "a.pem", Names: []string{"a.test"}, SHA256: "bb", NotAfter: time.Now().Add(-time.Hour)})
		stop = running(t, NewCertWatch(s, m, zap.NewNop()).Run)
		time.Sleep(48 * time.Hour)
		stop()
		if got := m.told(); len(got) != 1 || !strings.HasPrefix(got[0], `cert.expiring {"file":"a.pem","names":["a.test"],"sha256":"bb","not_after":"`) || !strings.HasSuffix(got[0], `"days":-1}`) {
			t.Errorf("of an expired one: %q", got)
		}
	})
}

func TestCertificatesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := newMemory(), &shelf{}
		end := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		one := Certificate{File: "a.pem", Names: []string{"a.test"}, SHA256: "aa", NotAfter: end}
		next, other := one, one
		next.SHA256, other.File = "bb", "b.pem"
		s.set(one)
		defer running(t, NewCertWatch(s, m, zap.NewNop()).Run)()
		for _, step := range []struct {
			name  string
			certs []Certificate
			want  []string
		}{
			{"the start", nil, nil},
			{"nothing new", []Certificate{one}, nil},
			{"renewed", []Certificate{next}, []string{`cert.changed {"file":"a.pem","names":["a.test"],"sha256":"bb","not_after":"2020-01-01T00:00:00Z","before":` +
				`{"file":"a.pem","names":["a.test"],"sha256":"aa","not_after":"2020-01-01T00:00:00Z"}}`}},
			{"another", []Certificate{next, other}, []string{`cert.changed {"file":"b.pem","names":["a.test"],"sha256":"aa","not_after":"2020-01-01T00:00:00Z"}`}},
			{"gone", []Certificate{next}, []string{`cert.changed {"file":"b.pem","names":["a.test"],"sha256":"aa","not_after":"2020-01-01T00:00:00Z","gone":true}`}},
		} {
			if step.certs != nil {
				s.set(step.certs...)
			}
			synctest.Wait()
			if diff := cmp.Diff(step.want, m.told()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
	})
}

// TestRefusalsAreBounded has a stranger with many addresses, and one source that fails again and again.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		r := NewRefusals(m, zap.NewNop())
		stop := running(t, r.Run)
		v4 := Refusal{Source: netip.MustParseAddr("::ffff:192.0.2.7"), Listener: "tls", Reason: "handshake_failed", Alert: "unknown_ca", ServerName: strings.Repeat("x", 300) + "\xff"}
		r.Add(v4)
		r.Add(v4)
		v4.Alert = ""
		r.Add(v4)
		for i := range 3 {
			r.Add(Refusal{Source: netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)), Listener: "tls", Reason: "sni_unknown"})
		}
		time.Sleep(refusalSoon)
		synctest.Wait()
		got := m.told()
		for i, want := range []string{
			`tls.refused {"source":"192.0.2.7","listener":"tls","reason":"handshake_failed","alert":"unknown_ca","server_name":"` + strings.Repeat("x", 253) + `","count":2,`,
			`tls.refused {"source":"192.0.2.7","listener":"tls","reason":"handshake_failed","server_name":"` + strings.Repeat("x", 253) + `","count":1,`,
			`tls.refused {"source":"2001:db8::/64","listener":"tls","reason":"sni_unknown","count":3,`,
		} {
			if len(got) != 3 || !strings.HasPrefix(got[i], want) {
				t.Fatalf("told %d: %q, want it to begin with %s", i, got, want)
			}
		}
		total := 0
		for i := range 10_000 { // for ten minutes
			r.Add(Refusal{Source: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Reason: "handshake_timeout"})
			time.Sleep(60 * time.Millisecond)
			total++
		}
		stop()
		lines := m.told()
		counted := 0
		for _, line := range lines {
			var n int
			_, after, _ := strings.Cut(line, `"count":`)
			if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
				t.Fatal(err)
			}
			counted += n
		}
		if counted != total || len(lines) > 12*(refusalSources+1) {
			t.Errorf("%d events count %d refusals, want %d in %d events at most", len(lines), counted, total, 12*(refusalSources+1))
		}
	})
}

// TestNoticesOfABrokenStore: the end of the server does not wait for a store that does not write.
func TestNoticesOfABrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.set(errors.New("disk"))
		r := NewRefusals(m, zap.NewNop())
		stop := running(t, r.Run)
		r.Add(Refusal{Source: netip.MustParseAddr("192.0.2.7"), Reason: "sni_unknown"})
		time.Sleep(refusalSoon)
		start := time.Now()
		stop()
		if took := time.Since(start); took > noticeTime {
			t.Errorf("the end took %v", took)
		}
	})
}
