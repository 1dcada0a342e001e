package agent

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const proxyAddress = "proxy:3128"

// middlebox is a proxy between the agent and the test that cuts or forgets tunnels that are silent for a while.
type middlebox struct {
	*network
	ctx    context.Context // of its connections
	limit  time.Duration
	forget bool // bytes vanish instead of the connection being closed
}

// dial takes connections to the proxy itself.
func (m *middlebox) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address != proxyAddress {
		return m.network.dial(ctx, network, address)
	}
	agent, proxy := net.Pipe()
	go m.serve(m.ctx, proxy)
	return agent, nil
}

func (m *middlebox) serve(ctx context.Context, agent net.Conn) {
	defer agent.Close()
	r, err := http.ReadRequest(bufio.NewReader(agent))
	if err != nil {
		return
	}
	server, err := m.network.dial(ctx, "tcp", r.Host)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := io.WriteString(agent, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	t := &tunnel{limit: m.limit, forget: m.forget, last: time.Now()}
	if !m.forget {
		t.timer = time.AfterFunc(m.limit, func() { agent.Close(); server.Close() })
		defer t.timer.Stop()
	}
	var both sync.WaitGroup
	both.Go(func() { t.pass(server, agent) })
	both.Go(func() { t.pass(agent, server) })
	both.Wait()
}

// tunnel passes bytes and notes when the last ones came.
type tunnel struct {
	limit  time.Duration
	forget bool
	timer  *time.Timer

	mu        sync.Mutex
	last      time.Time
	forgotten bool
}

func (t *tunnel) pass(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if t.gone() {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// gone reports whether the tunnel was silent for too long, and restarts its clock if not.
func (t *tunnel) gone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forgotten = t.forgotten || t.forget && time.Since(t.last) >= t.limit
	t.last = time.Now()
	if t.timer != nil {
		t.timer.Reset(t.limit)
	}
	return t.forgotten
}

// answerPings answers until the connection ends or the time is over.
func (p *peer) answerPings(d time.Duration) (cut bool) {
	end := time.Now().Add(d)
	var got []byte
	for {
		must(p.t, p.conn.SetReadDeadline(end))
		b, err := p.r.ReadByte()
		if err != nil {
			return time.Now().Before(end)
		}
		if got = append(got, b); !strings.HasSuffix(string(got), "</iq>") {
			continue
		}
		_, id, _ := strings.Cut(string(got), "id='")
		id, _, _ = strings.Cut(id, "'")
		p.send("<iq type='result' id='" + id + "' from='" + testDomain + "'/>")
		got = nil
	}
}

// throughMiddlebox starts an agent behind one.
func throughMiddlebox(t *testing.T, limit time.Duration, forget bool) *run {
	t.Helper()
	cfg := testConfig(t)
	cfg.Proxy, cfg.ProxyFallback = "http://user:hunter2@"+proxyAddress, false
	r := newRun(t, cfg, func(a *Agent) { a.random = func(n int64) int64 { return n / 2 } })
	r.agent.ways.Dial = (&middlebox{network: r.network, ctx: t.Context(), limit: limit, forget: forget}).dial
	r.start()
	return r
}

// A proxy that cuts tunnels after a minute of silence does not cut the agent's.
func TestProxyThatCutsAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := throughMiddlebox(t, time.Minute, false)
		p := r.next().secure(nil)
		p.start()
		if p.answerPings(30 * time.Minute) {
			t.Errorf("the session was cut; log: %v", r.logs.All())
		}
		r.stopAnyhow(p)
		if n := len(r.addresses()); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

// What is cut or forgotten sooner than that is found out, and the agent stays online from then on.
func TestPulseLearns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limit  time.Duration
		forget bool
		most   int // sessions that may be lost before
		want   time.Duration
	}{
		{"proxy that closes after 30 s", 30 * time.Second, false, 2, 20 * time.Second},
		{"proxy that closes after 15 s", 15 * time.Second, false, 2, 10 * time.Second},
		{"translator that forgets after 40 s", 40 * time.Second, true, 2, 30 * time.Second},
		{"translator that forgets after 25 s", 25 * time.Second, true, 4, 20 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := throughMiddlebox(t, tt.limit, tt.forget)
				for lost := 0; ; lost++ {
					if lost > tt.most {
						t.Fatalf("%d sessions were lost", lost)
					}
					p := r.next().secure(nil)
					p.start()
					if !p.answerPings(30 * time.Minute) {
						r.stopAnyhow(p)
						break
					}
				}
				if got := r.agent.pulse.interval("http://" + proxyAddress); got.Round(time.Second) != tt.want {
					t.Errorf("the server is asked every %v, want %v", got, tt.want)
				}
				if n := r.logged("proxy_cuts_idle"); n != tt.most/2 {
					t.Errorf("%d lines say so, want %d", n, tt.most/2)
				}
			})
		})
	}
}

// What was learned is bounded, holds for one way alone, and is not learned from what is no cut.
func TestPulseBounds(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name       string
		configured time.Duration
		idle       []time.Duration
		want       time.Duration
	}{
		{"twice the same", 45 * s, []time.Duration{30 * s, 31 * s}, 20 * s},
		{"once", 45 * s, []time.Duration{30 * s}, 45 * s},
		{"different silences", 45 * s, []time.Duration{30 * s, 12 * s}, 45 * s},
		{"another end between them", 45 * s, []time.Duration{30 * s, 0, 30 * s}, 45 * s},
		{"lost while it was busy", 45 * s, []time.Duration{s, s}, 45 * s},
		{"no more often than that", 45 * s, []time.Duration{6 * s, 6 * s, 6 * s, 6 * s}, 10 * s},
		{"configured more often", 7 * s, []time.Duration{6 * s, 6 * s}, 7 * s},
		{"longer than the question takes", 45 * s, []time.Duration{80 * s, 80 * s}, 45 * s},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &pulse{configured: tt.configured}
			for _, idle := range tt.idle {
				p.ended("a", idle)
			}
			if got := p.interval("a"); got != tt.want {
				t.Errorf("interval = %v, want %v", got, tt.want)
			}
			if got := p.interval("b"); got != tt.configured {
				t.Errorf("interval on another way = %v, want %v", got, tt.configured)
			}
		})
	}
}
