package rungs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http/httpproxy"

	"signalbox/internal/agent/path"
	"signalbox/internal/channel"
	"signalbox/internal/client"
	"signalbox/internal/peer"
	"signalbox/internal/signalling"
	"signalbox/tests/harness"
	"signalbox/tests/harness/turnchild"
)

func TestMain(m *testing.M) {
	if ran, status := turnchild.Run(); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// finder knows the ways to the test's server, through a proxy if there is one.
func finder(t *testing.T, s *harness.Server, proxy string) *path.Finder {
	t.Helper()
	proxies, err := path.NewProxies(proxy, "", false, &httpproxy.Config{})
	must(t, err)
	return &path.Finder{Domain: harness.Domain, TLS: s.TLS(), Proxies: proxies, Dial: new(net.Dialer).DialContext, DNS: net.DefaultResolver}
}

func dialer(f *path.Finder) peer.Dial {
	return func(ctx context.Context, address string, secure bool) (net.Conn, error) {
		if secure {
			return f.Secured(ctx, address, "stun.turn")
		}
		return f.Stream(ctx, address)
	}
}

// pair has two peers find each other and returns the way of the second.
func pair(t *testing.T, a, b peer.Config) peer.Way {
	t.Helper()
	_, answerer, _, _ := join(t, a, b)
	return answerer.Way()
}

// join has two peers find each other by a channel.
func join(t *testing.T, a, b peer.Config) (offerer, answerer *peer.Peer, sending, receiving channel.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	here, there := make(chan peer.Candidate, 256), make(chan peer.Candidate, 256)
	channels := make(chan channel.Conn, 1)
	a.OnCandidate = func(c peer.Candidate) { here <- c }
	b.OnCandidate = func(c peer.Candidate) { there <- c }
	b.OnChannel = func(_ peer.Label, c channel.Conn) { channels <- c }
	var err error
	offerer, err = peer.New(a)
	must(t, err)
	t.Cleanup(offerer.Close)
	answerer, err = peer.New(b)
	must(t, err)
	t.Cleanup(answerer.Close)
	sending, err = offerer.Open(peer.Label{Name: "system"})
	must(t, err)
	agree(t, offerer, answerer, false)
	go feed(ctx, here, answerer)
	go feed(ctx, there, offerer)
	must(t, sending.Send(ctx, channel.Message{Data: []byte("hello")}))
	select {
	case receiving = <-channels:
		m, err := receiving.Receive(ctx)
		if err != nil || string(m.Data) != "hello" {
			t.Fatalf("Receive() = %q, %v", m.Data, err)
		}
	case <-ctx.Done():
		t.Fatalf("the peers do not find each other: %+v, %+v", offerer.Way(), answerer.Way())
	}
	return offerer, answerer, sending, receiving
}

func agree(t *testing.T, offerer, answerer *peer.Peer, restart bool) {
	t.Helper()
	offer, err := offerer.Offer(restart)
	must(t, err)
	answer, err := answerer.Answer(offer)
	must(t, err)
	must(t, offerer.Accept(answer))
}

func feed(ctx context.Context, from chan peer.Candidate, to *peer.Peer) {
	for {
		select {
		case c := <-from:
			_ = to.Candidate(c) // the test sees what comes of it
		case <-ctx.Done():
			return
		}
	}
}

// credentials are those of one side of a TURN session of the test's server, with URLs.
func credentials(side client.TURNCredentials, urls ...string) signalling.ICEServer {
	return signalling.ICEServer{URLs: urls, Username: side.Username, Credential: side.Credential}
}

func openSession(t *testing.T, s *harness.Server) client.TURNGrant {
	t.Helper()
	c, err := client.New(s.URL(), s.Token, client.Options{})
	must(t, err)
	t.Cleanup(c.Close)
	made, err := c.OpenTURNSession(t.Context(), client.NewTURNSession{})
	must(t, err)
	return made
}

// TestRungs: each rung carries what it is asked to, where those above it do not work, and it is known why they do not.
func TestRungs(t *testing.T) {
	s := harness.StartTURN(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // takes what comes and says nothing
	must(t, err)
	defer silent.Close()
	udp, tcp := "turn:"+s.Addr("turn_udp"), "turn:"+s.Addr("turn_tcp")+"?transport=tcp"
	tls := "turns:" + s.Addr("tls") + "?transport=tcp"
	dead, closed := "turn:"+silent.LocalAddr().String(), "turn:"+harness.HoldPort(t)+"?transport=tcp"
	const forced, none = "direct: not allowed in this session", ": no server offers it"
	for _, tt := range []struct {
		name  string
		urls  []string
		wrong []string // with credentials that are none
		relay bool
		rung  string
		why   []string
	}{
		{"direct beside TURN", []string{udp, tcp, tls}, nil, false, "direct", nil},
		{"UDP", []string{udp, tcp, tls}, nil, true, "turn_udp", []string{forced}},
		{"TCP alone", []string{tcp}, nil, true, "turn_tcp", []string{forced, "turn_udp" + none}},
		{"TLS alone", []string{tls}, nil, true, "turn_tls", []string{forced, "turn_udp" + none, "turn_tcp" + none}},
		{"UDP is blocked", []string{dead, tcp, tls}, nil, true, "turn_tcp", []string{forced, "turn_udp: the server has not answered"}},
		{"TLS alone is open", []string{dead, closed, tls}, nil, true, "turn_tls", []string{forced, "turn_udp: the server has not answered", "turn_tcp: connect: connection refused"}},
		{"credentials that are none", []string{tcp}, []string{udp}, true, "turn_tcp", []string{forced, "turn_udp: the server refuses: 401, wrong credentials"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made := openSession(t, s)
			config := func(side client.TURNCredentials) peer.Config {
				servers := []signalling.ICEServer{credentials(side, tt.urls...), {URLs: tt.wrong, Username: side.Username, Credential: "wrong"}}
				return peer.Config{Servers: servers, RelayOnly: tt.relay, Loopback: true, Dial: dialer(finder(t, s, path.NoProxy))}
			}
			began := time.Now()
			w := pair(t, config(made.Sides.A), config(made.Sides.B))
			t.Logf("%s after %v, round trip %v", w.Rung, time.Since(began).Round(time.Millisecond), w.RTT)
			var why []string
			for _, f := range w.Failed {
				why = append(why, f.Rung+": "+f.Why)
			}
			if w.Rung != tt.rung || !slices.EqualFunc(why, tt.why, strings.HasPrefix) {
				t.Errorf("the way is %s, since %q; want %s, since %q", w.Rung, why, tt.rung, tt.why)
			}
		})
	}
}

// TestThroughProxy: TURN over TLS goes through the HTTP proxy that leads to the server.
func TestThroughProxy(t *testing.T) {
	s := harness.StartTURN(t)
	made := openSession(t, s)
	proxy, tunnels := connectProxy(t)
	config := func(side client.TURNCredentials) peer.Config {
		return peer.Config{
			Servers: []signalling.ICEServer{credentials(side, "turns:"+s.Addr("tls")+"?transport=tcp")}, RelayOnly: true, Dial: dialer(finder(t, s, "http://"+proxy)),
		}
	}
	if w := pair(t, config(made.Sides.A), config(made.Sides.B)); w.Rung != "turn_tls" || tunnels.count() != 2 {
		t.Errorf("the way is %s, with %d tunnels", w.Rung, tunnels.count())
	}
}

// TestLegIsCut: a connection to the TURN server that is lost is made anew by a restart, under the channels.
func TestLegIsCut(t *testing.T) {
	s := harness.StartTURN(t)
	made := openSession(t, s)
	proxy, tunnels := connectProxy(t)
	url := "turn:" + s.Addr("turn_tcp") + "?transport=tcp"
	a := peer.Config{Servers: []signalling.ICEServer{credentials(made.Sides.A, url)}, RelayOnly: true, Dial: dialer(finder(t, s, "http://"+proxy))}
	b := peer.Config{Servers: []signalling.ICEServer{credentials(made.Sides.B, url)}, RelayOnly: true, Dial: dialer(finder(t, s, path.NoProxy))}
	offerer, answerer, sending, receiving := join(t, a, b)
	tunnels.cut()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, sending.Send(ctx, channel.Message{Data: []byte("lost on the way")}))
	agree(t, offerer, answerer, true)
	if m, err := receiving.Receive(ctx); err != nil || string(m.Data) != "lost on the way" {
		t.Fatalf("Receive() = %q, %v", m.Data, err)
	}
	if w := offerer.Way(); w.Rung != signalling.RungTURNTCP || tunnels.count() != 2 {
		t.Errorf("the way is %+v, with %d tunnels", w, tunnels.count())
	}
}

// tunnels are connections through a proxy.
type tunnels struct {
	mu  sync.Mutex
	all []net.Conn
}

func (p *tunnels) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}

func (p *tunnels) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.all {
		c.Close()
	}
}

// connectProxy is an HTTP proxy for CONNECT and nothing else.
func connectProxy(t *testing.T) (address string, made *tunnels) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	made = &tunnels{}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			made.mu.Lock()
			made.all = append(made.all, c)
			made.mu.Unlock()
			go tunnel(c)
		}
	}()
	return l.Addr().String(), made
}

func tunnel(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	request, err := http.ReadRequest(r)
	if err != nil || request.Method != http.MethodConnect {
		return
	}
	to, err := net.Dial("tcp", request.Host)
	if err != nil {
		return
	}
	defer to.Close()
	fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(to, r)
		to.Close()
	}()
	_, _ = io.Copy(c, to)
}
