package path

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"signalbox/internal/agent/ladder"
)

// Bounds of what is remembered.
const (
	rememberFor = 24 * time.Hour // how long the way that worked goes before those that should be tried first
	maxNetworks = 16
)

// Known is a way that led to a session, and the network in which it did.
type Known struct {
	Network   string    `json:"network"` // as Finder.Network names it
	Address   string    `json:"address"`
	Direct    bool      `json:"direct_tls"`
	WebSocket bool      `json:"websocket,omitempty"`
	Via       string    `json:"via"` // "direct", or the proxy
	At        time.Time `json:"at"`
}

// is reports whether r is the way.
func (k Known) is(r Route) bool {
	return k.Address == r.Address && k.Direct == r.Direct && k.WebSocket == r.WebSocket && k.Via == r.Via()
}

func (f *Finder) network() string {
	if f.Network == nil {
		return ""
	}
	return f.Network()
}

// Remember has the way that led to a session tried first in this network, for a day.
func (f *Finder) Remember(r Route, at time.Time) {
	f.Recall([]Known{{f.network(), r.Address, r.Direct, r.WebSocket, r.Via(), at.UTC()}})
}

// Recall takes over what is known from Known of an earlier run; of one network the newest counts.
func (f *Finder) Recall(all []Known) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range all {
		f.known = slices.DeleteFunc(f.known, func(old Known) bool { return old.Network == k.Network && !old.At.After(k.At) })
		if !slices.ContainsFunc(f.known, func(newer Known) bool { return newer.Network == k.Network }) {
			f.known = append(f.known, k)
		}
	}
	slices.SortStableFunc(f.known, func(a, b Known) int { return a.At.Compare(b.At) })
	f.known = slices.Clone(f.known[max(0, len(f.known)-maxNetworks):])
}

// Known returns what is remembered, the newest last.
func (f *Finder) Known() []Known {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.known)
}

// remembered moves the way that worked in this network to the front. One that is no longer among the ways is not taken.
func (f *Finder) remembered(all []Route) []Route {
	here := f.network()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.known {
		if k.Network != here || time.Since(k.At) > rememberFor {
			continue
		}
		if i := slices.IndexFunc(all, k.is); i > 0 {
			first := all[i]
			copy(all[1:i+1], all[:i])
			all[0] = first
		}
	}
	return all
}

// ThisNetwork names the network that this machine is in, by the prefixes of its addresses: not for certain, but well enough to try first what worked here. It is empty without
// an address.
func ThisNetwork() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var prefixes []string
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			prefixes = append(prefixes, subnet(p).String())
		}
	}
	if len(prefixes) == 0 {
		return ""
	}
	slices.Sort(prefixes)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(prefixes), " ")))
	return hex.EncodeToString(sum[:8])
}

// subnet is the prefix of an address without the part that is the machine's own: of IPv6 the first 64 bits, below which addresses change by themselves.
func subnet(p netip.Prefix) netip.Prefix {
	if p.Addr().Is6() && p.Bits() > 64 {
		p = netip.PrefixFrom(p.Addr(), 64)
	}
	return p.Masked()
}

// Tried is what became of ways: nil for one that led to a session or a login.
type Tried map[Route]*ladder.Failure

// Pointless reports whether a way need not be tried: a WebSocket helps only where connections pass on the way, and what is said on them does not.
func (t Tried) Pointless(r Route) bool {
	plain := r
	plain.WebSocket = false
	f, tried := t[plain]
	return r.WebSocket && tried && (f == nil || !disturbed(f))
}

// disturbed reports whether something on the way may let HTTP pass that does not let this pass.
func disturbed(f *ladder.Failure) bool {
	switch f.Code {
	case ladder.NoALPN.Code, ladder.TLSClosed.Code, ladder.TLSSilent.Code, ladder.NotXMPP.Code, ladder.StreamSilent.Code, ladder.StreamClosed.Code:
		return true
	}
	return false
}
