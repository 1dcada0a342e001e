package diagnosis

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/endpoint"
)

func key(id string) endpoint.Key { return endpoint.Key{Domain: "example.test", ID: id} }

// failure is an attempt of a stranger at an address.
func failure(code, from string) Attempt {
	return Attempt{At: time.Now(), Code: code, Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 4711)}
}

func (a Attempt) as(id string, known bool) Attempt {
	a.Key, a.Known = key(id), known
	return a
}

func codes(all []Attempt) string {
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, "%s*%d ", a.Code, a.Count)
	}
	return strings.TrimSpace(b.String())
}

func TestAttemptsAreTold(t *testing.T) {
	m := NewMemory()
	m.Failed(failure("cert_closed", "192.0.2.1"))
	m.Failed(failure("wrong_secret", "192.0.2.1").as("pc-1", true))
	m.Failed(failure("cert_closed", "192.0.2.1"))
	m.Failed(failure("unknown_endpoint", "192.0.2.2").as("pc-2", false))
	for _, tt := range []struct{ name, got, want string }{
		{"of an endpoint", codes(m.Endpoint(key("pc-1"))), "wrong_secret*1"},
		{"of a name", codes(m.Endpoint(key("pc-2"))), "unknown_endpoint*1"},
		{"of nobody", codes(m.Endpoint(key("pc-3"))), ""},
		{"of an address", codes(first(m.At(netip.MustParseAddr("192.0.2.1")))), "cert_closed*2 wrong_secret*1"},
		{"of an address in IPv6 form", codes(first(m.At(netip.MustParseAddr("::ffff:192.0.2.2")))), "unknown_endpoint*1"},
	} {
		if tt.got != tt.want {
			t.Errorf("attempts %s = %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	m.Failed(failure("cert_closed", "2001:db8::1"))
	if got := codes(first(m.At(netip.MustParseAddr("2001:db8::ffff")))); got != "cert_closed*1" {
		t.Errorf("attempts of a neighbour in the same /64 = %q", got)
	}
}

func first(all []Attempt, _ []endpoint.Key) []Attempt { return all }

// TestStrangersDriveOutNothing: a flood of strangers, in addresses and in names, leaves what is known of endpoints, and the memory its bounds.
func TestStrangersDriveOutNothing(t *testing.T) {
	m := NewMemory()
	home := netip.MustParseAddr("192.0.2.1")
	m.Failed(failure("cert_unknown_ca", "192.0.2.1")) // before it is known whose address that is
	m.Seen(key("pc-1"), home)
	m.Failed(failure("wrong_secret", "192.0.2.1").as("pc-1", true))
	for i := range 50_000 {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
		a := failure("unknown_endpoint", from).as(fmt.Sprintf("x-%d", i), false)
		a.Detail = Detail{ServerName: strings.Repeat("n", 4000), Cause: "\x1b[2J" + strings.Repeat("ü", 4000)}
		m.Failed(a)
		m.Failed(failure("wrong_secret", from).as("pc-1", true))
	}
	here, tenants := m.At(home)
	if got := codes(here); got != "wrong_secret*1 cert_unknown_ca*1" || len(tenants) != 1 {
		t.Errorf("of the home: %q by %v", got, tenants)
	}
	own := m.Endpoint(key("pc-1"))
	if oldest := own[len(own)-1]; oldest.Remote.Addr() != home {
		t.Errorf("the oldest attempt in its name is from %s: its own was driven out", oldest.Remote)
	}
	if len(own) > maxElsewhere+1 {
		t.Errorf("%d attempts in its name, at most %d may be from elsewhere", len(own), maxElsewhere)
	}
	for name, p := range map[string]struct{ used, budget, records int }{
		"endpoints": {m.endpoints.used, m.endpoints.budget, len(m.endpoints.records)}, "names": {m.names.used, m.names.budget, len(m.names.records)},
		"homes": {m.homes.used, m.homes.budget, len(m.homes.records)}, "strangers": {m.strangers.used, m.strangers.budget, len(m.strangers.records)},
	} {
		if p.used <= 0 || p.used > p.budget || p.records == 0 {
			t.Errorf("%s: %d records use %d of %d bytes", name, p.records, p.used, p.budget)
		}
	}
	if n := len(m.strangers.records); n == 50_000 {
		t.Error("all strangers are remembered: the flood was too small to say anything")
	}
	for _, a := range m.Strangers(time.Now().Add(-time.Hour), 1) {
		if len(a.Detail.ServerName) > maxText || strings.ContainsRune(a.Detail.Cause, '\x1b') {
			t.Errorf("detail = %+v", a.Detail)
		}
	}
}

// TestSizesAreKept: what a pool says that it uses is what its records use, whatever happened.
func TestSizesAreKept(t *testing.T) {
	m := NewMemory()
	for i := range 300 {
		from := fmt.Sprintf("192.0.2.%d", i%7)
		m.Failed(failure([]string{"cert_closed", "closed_early", "alpn_mismatch"}[i%3], from))
		m.Failed(failure("wrong_secret", from).as(fmt.Sprintf("pc-%d", i%5), i%2 == 0))
		if i%11 == 0 {
			m.Seen(key(fmt.Sprintf("pc-%d", i%13)), netip.MustParseAddr(from))
		}
		m.SessionChanged(endpoint.Change{Kind: endpoint.Ended, Key: key("pc-1"), Reason: endpoint.ReasonReplaced, Session: session{from}, At: time.Now()})
	}
	sum := 0
	for _, r := range m.homes.records {
		sum += r.size
		size := recordBytes
		for _, k := range r.attempts {
			size += k.size()
		}
		for _, k := range r.tenants {
			size += len(k.ID) + 32
		}
		if size != r.size {
			t.Errorf("record of %s has size %d, want %d", r.key, r.size, size)
		}
	}
	if sum != m.homes.used {
		t.Errorf("homes use %d, their records %d", m.homes.used, sum)
	}
	sum = 0
	for _, r := range m.endpoints.records {
		sum += r.size
	}
	if sum != m.endpoints.used {
		t.Errorf("endpoints use %d, their records %d", m.endpoints.used, sum)
	}
}

// session is one from an address.
type session struct{ from string }

func (session) Deliver(endpoint.Stanza) error { return nil }
func (session) End(endpoint.Reason)           {}
func (s session) Facts() endpoint.Facts {
	return endpoint.Facts{Remote: netip.AddrPortFrom(netip.MustParseAddr(s.from), 1)}
}
func (session) LastHeard() time.Time { return time.Time{} }

// TestAttemptsFade: what is older than a day is not told, and counts of the last hour are of the last hour.
func TestAttemptsFade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		m.Failed(failure("cert_closed", "192.0.2.1"))
		m.Failed(failure("no such code", "192.0.2.1"))
		time.Sleep(30 * time.Minute)
		m.Failed(failure("cert_closed", "192.0.2.2"))
		m.Failed(failure("throttled", "192.0.2.3"))
		time.Sleep(29 * time.Minute)
		if got := fmt.Sprint(tallied(m)); got != "[cert_closed*2 throttled*1]" {
			t.Errorf("after 59 minutes: %s", got)
		}
		time.Sleep(5 * time.Minute)
		if got := fmt.Sprint(tallied(m)); got != "[cert_closed*1 throttled*1]" {
			t.Errorf("after 64 minutes: %s", got)
		}
		if got := len(m.Strangers(time.Now().Add(-time.Hour), 10)); got != 2 {
			t.Errorf("%d strangers of the last hour, want 2", got)
		}
		time.Sleep(2 * time.Hour)
		if got := tallied(m); got != nil {
			t.Errorf("after hours: %v", got)
		}
		time.Sleep(Keep)
		if got, _ := m.At(netip.MustParseAddr("192.0.2.1")); len(got) != 0 {
			t.Errorf("after more than a day: %v", got)
		}
	})
}

func tallied(m *Memory) (all []string) {
	for _, c := range m.LastHour() {
		all = append(all, fmt.Sprintf("%s*%d", c.Code, c.N))
	}
	return all
}

// takenOver tells m that an open session of pc-1 from this address was taken over.
func takenOver(m *Memory, from string) {
	m.SessionChanged(endpoint.Change{Kind: endpoint.Ended, Key: key("pc-1"), Reason: endpoint.ReasonReplaced, Open: true, Session: session{from}, At: time.Now()})
}

// TestQuarrels: takeovers within minutes are a quarrel, spread over hours they are none.
func TestQuarrels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, nowhere := NewMemory(), netip.Addr{}
		for range 5 {
			takenOver(m, "192.0.2.1")
			time.Sleep(time.Hour)
		}
		if q := m.quarrel(key("pc-1"), nowhere); q.turns != 0 || m.Quarrels() != nil {
			t.Errorf("takeovers over hours are a quarrel: %+v", q)
		}
		for i := range 3 {
			takenOver(m, fmt.Sprintf("192.0.2.%d", i%2))
		}
		if q := m.quarrel(key("pc-1"), nowhere); q.turns != 3 || len(q.places) != 2 || fmt.Sprint(m.Quarrels()) != "[pc-1]" {
			t.Errorf("quarrel = %+v", q)
		}
		for range 100 {
			takenOver(m, "192.0.2.1")
		}
		if n := len(m.endpoints.records[key("pc-1")].turns); n != maxTurns {
			t.Errorf("%d turns are kept, want %d", n, maxTurns)
		}
	})
}

// TestNoQuarrels: what looks like two programs that throw each other out, and is none.
func TestNoQuarrels(t *testing.T) {
	ended := func(reason endpoint.Reason) func(*Memory, int) {
		return func(m *Memory, i int) {
			m.SessionChanged(endpoint.Change{Kind: endpoint.Ended, Key: key("pc-1"), Reason: reason, Session: session{fmt.Sprintf("192.0.2.%d", i%2)}, At: time.Now()})
		}
	}
	for _, tc := range []struct {
		name string
		turn func(m *Memory, i int)
		now  string
	}{
		{"connections that are lost", ended(endpoint.ReasonConnectionLost), "192.0.2.1"},
		{"logins over sessions that lost their connection, and clients that take turns", ended(endpoint.ReasonReplaced), "192.0.2.1"},
		{"a machine that moves from network to network", func(m *Memory, i int) { takenOver(m, fmt.Sprintf("192.0.2.%d", i)) }, "192.0.2.99"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := NewMemory()
			for i := range 6 {
				tc.turn(m, i)
			}
			if q := m.quarrel(key("pc-1"), netip.MustParseAddr(tc.now)); q.turns != 0 || m.Quarrels() != nil {
				t.Errorf("quarrel = %+v, quarrels = %v", q, m.Quarrels())
			}
		})
	}
}

// TestTenantsAreBounded: an address that a thousand endpoints share remembers the newest.
func TestTenantsAreBounded(t *testing.T) {
	m := NewMemory()
	at := netip.MustParseAddr("192.0.2.1")
	for i := range 1000 {
		m.Seen(key(fmt.Sprintf("pc-%d", i)), at)
		m.Seen(key("pc-7"), at)
	}
	_, tenants := m.At(at)
	if len(tenants) != maxTenants || tenants[maxTenants-1] != key("pc-7") || tenants[maxTenants-2] != key("pc-999") {
		t.Errorf("tenants = %v", tenants)
	}
}

// BenchmarkSeen is what a login costs.
func BenchmarkSeen(b *testing.B) {
	m := NewMemory()
	keys, addrs := make([]endpoint.Key, 10_000), make([]netip.Addr, 10_000)
	for i := range keys {
		keys[i], addrs[i] = key(fmt.Sprintf("pc-%d", i)), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Seen(keys[i%len(keys)], addrs[i%len(addrs)])
		i++
	}
}

// BenchmarkFailed is what a failed login costs.
func BenchmarkFailed(b *testing.B) {
	m := NewMemory()
	a := failure("wrong_secret", "192.0.2.1")
	a.Detail = Detail{ServerName: "xmpp.example.test", ALPN: "xmpp-client", Version: "TLS 1.3", Mechanism: "SCRAM-SHA-256", Cause: "wrong secret"}
	keys := make([]endpoint.Key, 10_000)
	for i := range keys {
		keys[i] = key(fmt.Sprintf("pc-%d", i))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		a.Key, a.Known = keys[i%len(keys)], true
		a.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)
		m.Failed(a)
		i++
	}
}
