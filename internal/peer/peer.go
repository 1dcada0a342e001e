// Package peer is one WebRTC connection between a technician and an endpoint: data channels as channel.Conn, by the best way that there is, and which way that is. Nothing of
// the WebRTC library shows outside, so that a change of it is a change of this package.
package peer

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v3"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// Times of ICE. What is cut for less than disconnected+failed goes on by itself when the way is back.
const (
	disconnectedAfter = 5 * time.Second
	failedAfter       = 55 * time.Second
	keepAlive         = 2 * time.Second
	relayWait         = 500 * time.Millisecond // how long a direct way is preferred to a relayed one that is ready
	staleAfter        = 3 * time.Second        // beyond disconnectedAfter, see Stale
)

// State of a connection.
type State string

// The states of a connection; after Failed an ICE restart can bring it back.
const (
	Connecting   State = "connecting"
	Connected    State = "connected"
	Disconnected State = "disconnected" // nothing comes at present
	Failed       State = "failed"
	Closed       State = "closed"
)

// Candidate is an ICE candidate as signalling.Candidate has it.
type Candidate struct {
	Text string // empty: there are no more
	Mid  string
	Line int
}

// Dial connects to a TURN server over TCP: address is host:port; secure: inside TLS that is verified for host.
type Dial func(ctx context.Context, address string, secure bool) (net.Conn, error)

// Config says how the other side may be reached, and who is told what. The functions are called from goroutines of the connection, must not block and must not call Close.
type Config struct {
	Servers   []signalling.ICEServer // TURN servers; those of STUN alone are not used
	RelayOnly bool                   // never directly
	Loopback  bool                   // addresses of this machine alone are candidates, too
	Dial      Dial                   // nil: without proxies, with the system's authorities

	OnCandidate func(Candidate)               // a local candidate, for the other side behind the description, which it may come before
	OnChannel   func(l Label, c channel.Conn) // the other side has opened a channel
	OnState     func(State)                   // the present one, at each change
	OnRenew     func()                        // once: this connection should be replaced by a new one, see Budget
}

// Peer is one connection. Its methods may be called concurrently.
type Peer struct {
	// Set at construction.
	cfg    Config
	pc     *webrtc.PeerConnection
	net    *network
	life   context.Context // until Close
	cancel context.CancelFunc
	once   sync.Once
	done   chan struct{} // closed when Close is through

	mu         sync.Mutex
	begun      bool   // there was an offer
	mid, ufrag string // of its media description, and the name of its side in ICE
	live       int    // channels
	opened     int    // channels, ever
	recent     []time.Time
	candidates int             // of the other side, since the last description
	relays     map[string]bool // host:port of relay candidates of the other side
	reached    bool            // the other side was
	lost       time.Time       // since when it is not; zero: it is, or never was
	stale      bool            // it was lost for long, once
}

// New makes a connection that is not yet begun: see Open and Offer, or Answer. Close it in any case.
func New(cfg Config) (*Peer, error) {
	life, cancel := context.WithCancel(context.Background())
	p := &Peer{cfg: cfg, life: life, cancel: cancel, done: make(chan struct{}), mid: "0", relays: map[string]bool{}}
	targets := parseServers(cfg.Servers)
	p.net = newNetwork(life, targets, cfg.Dial, cfg.OnRenew)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(p.settings())).NewPeerConnection(p.configuration(targets))
	if err != nil {
		cancel()
		return nil, err
	}
	p.pc = pc
	pc.OnDataChannel(p.incoming)
	pc.OnICECandidate(p.gathered)
	pc.OnConnectionStateChange(p.changed)
	return p, nil
}

func (p *Peer) settings() webrtc.SettingEngine {
	var s webrtc.SettingEngine
	s.LoggerFactory = &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled} // it would log candidates
	s.DetachDataChannels()
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.DisableActiveTCP(true)
	s.SetIncludeLoopbackCandidate(p.cfg.Loopback)
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepAlive)
	wait := relayWait
	if p.cfg.RelayOnly {
		wait = 0
	}
	s.SetRelayAcceptanceMinWait(wait)
	// A check of the other side may come before its candidate does, by way of the server; the library, which would wait for a second, never learns that both are the same address.
	s.SetPrflxAcceptanceMinWait(0)
	s.SetNet(p.net)
	s.SetICEProxyDialer(p.net)
	return s
}

func (p *Peer) configuration(targets []target) webrtc.Configuration {
	c := webrtc.Configuration{}
	if p.cfg.RelayOnly {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	for _, t := range targets {
		c.ICEServers = append(c.ICEServers, webrtc.ICEServer{URLs: []string{t.url()}, Username: t.username, Credential: t.credential})
	}
	return c
}

// changed passes on that the state is another one. The library says so from a goroutine for each change, so what it says may be old.
func (p *Peer) changed(webrtc.PeerConnectionState) {
	st := p.State()
	p.noteLoss(st, time.Now())
	if p.cfg.OnState != nil {
		p.cfg.OnState(st)
	}
}

// noteLoss notes since when the other side is lost, and for how long it was.
func (p *Peer) noteLoss(st State, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case st == Connected:
		p.stale = p.stale || p.lostLongLocked(now)
		p.reached, p.lost = true, time.Time{}
	case p.reached && p.lost.IsZero():
		p.lost = now
	}
}

func (p *Peer) lostLongLocked(now time.Time) bool {
	return !p.lost.IsZero() && now.Sub(p.lost) >= staleAfter
}

// Stale reports whether the other side is lost for 8 seconds by now, or was once. What was sent meanwhile is sent again at ever longer times, up to a minute (RFC 9260 section
// 6.3.3), so that channels may stay silent long after the way is back: a new connection speaks at once.
func (p *Peer) Stale() bool { return p.staleAt(time.Now()) }

func (p *Peer) staleAt(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stale || p.lostLongLocked(now)
}

// State returns the present state.
func (p *Peer) State() State {
	switch p.pc.ConnectionState() {
	case webrtc.PeerConnectionStateConnected:
		return Connected
	case webrtc.PeerConnectionStateDisconnected:
		return Disconnected
	case webrtc.PeerConnectionStateFailed:
		return Failed
	case webrtc.PeerConnectionStateClosed:
		return Closed
	}
	return Connecting
}

// Close ends the connection with all of its channels, and returns when everything that it started has ended.
func (p *Peer) Close() {
	p.once.Do(func() {
		defer close(p.done)
		p.cancel()
		p.net.abandon()          // or the library would wait for servers that do not answer
		_ = p.pc.GracefulClose() // what is wrong with a connection that ends is of no interest
		p.net.close()
	})
	<-p.done
}
