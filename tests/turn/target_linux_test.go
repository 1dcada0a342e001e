package turn

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/tests/turn/rawturn"
)

// target is a server against which rows are held.
type target struct {
	addrs   map[string]string // by network: udp, tcp, tls
	tls     *tls.Config
	secret  string                // of credentials
	open    func(*testing.T) pair // opens a session
	end     func(*testing.T, string)
	process func() int // id of the process that relays
}

// pair is a session with two sides.
type pair struct {
	id   string
	a, b rawturn.Account
}

// sources gives every client an address of its own, so that none is limited for what another did.
var sources atomic.Uint32

func source() netip.Addr {
	n := sources.Add(1)
	return netip.AddrFrom4([4]byte{127, byte(20 + n>>16), byte(n >> 8), byte(n)})
}

// probe is one row's run.
type probe struct {
	*testing.T
	*target
	wait time.Duration // for an answer
}

// dial connects from an address that nobody else has.
func (p *probe) dial(network string) *rawturn.Client {
	p.Helper()
	return p.dialFrom(network, source())
}

func (p *probe) dialFrom(network string, local netip.Addr) *rawturn.Client {
	p.Helper()
	if p.addrs[network] == "" {
		p.Skipf("LEFT OUT: TURN attacks over %s: the target does not listen there", network)
	}
	c, err := rawturn.Dial(p.Context(), rawturn.Server{Network: network, Addr: p.addrs[network], TLS: p.tls, Local: local})
	p.must(err)
	p.Cleanup(func() { _ = c.Close() })
	return c
}

// greeted is a client of a side of a session that knows realm and nonce.
func (p *probe) greeted(network string, a rawturn.Account) *rawturn.Client {
	p.Helper()
	c := p.dial(network)
	c.Account = a
	p.must(c.Greet())
	return c
}

// allocated is a client with an allocation in a session.
func (p *probe) allocated(network string, a rawturn.Account, attrs ...rawturn.Attr) (*rawturn.Client, netip.AddrPort) {
	p.Helper()
	c := p.dial(network)
	relayed, err := c.Allocate(a, attrs...)
	p.must(err)
	return c, relayed
}

// user is the first side of a new session.
func (p *probe) user() rawturn.Account { return p.open(p.T).a }

// ask writes an encoded message and says what came of it.
func (p *probe) ask(c *rawturn.Client, b []byte) string { return rawturn.Word(c.Ask(b, p.wait)) }

// do signs a request and says what came of it.
func (p *probe) do(c *rawturn.Client, t uint16, attrs ...rawturn.Attr) string {
	return rawturn.Word(c.DoIn(p.wait, t, attrs...))
}

// raw writes bytes that are no request and says what came of it.
func (p *probe) raw(c *rawturn.Client, b []byte) string {
	if _, err := c.Write(b); err != nil {
		return "closed"
	}
	got, err := c.Next(p.wait)
	switch {
	case err != nil:
		return rawturn.Word(nil, err)
	case got.Message == nil:
		return "ChannelData"
	}
	return rawturn.Word(got.Message, nil)
}

// alive fails unless the server still answers strangers and gives out allocations, by a session of its own.
func (p *probe) alive() {
	p.Helper()
	for _, network := range []string{"udp", "tcp"} {
		c := p.dial(network)
		m, err := c.Ask(rawturn.New(rawturn.Binding).Encode(), rawturn.Patience)
		if err != nil || !m.Success() {
			p.Errorf("a Binding over %s: %s", network, rawturn.Word(m, err))
		}
	}
	p.allocated("udp", p.user())
}

func (p *probe) must(err error) {
	p.Helper()
	must(p.T, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ticks returns the processor time of a process in clock ticks.
func ticks(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(f[11]+" "+f[12], &user, &system)
	must(t, err)
	return user + system
}

// rests fails if the process that relays is at work although nobody wants anything: what spins takes a processor, what rests next to nothing.
func (p *probe) rests() {
	p.Helper()
	const window, hertz = time.Second, 100
	used := int64(hertz)
	for tries := 0; used > hertz/4 && tries < 3; tries++ { // on a busy machine it may have something to put away first
		before := ticks(p.T, p.process())
		<-time.After(window)
		used = ticks(p.T, p.process()) - before
	}
	if used > hertz/4 {
		p.Errorf("the process used %d ticks of %d while nobody wanted anything", used, hertz)
	}
}
