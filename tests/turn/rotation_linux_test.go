package turn

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"signalbox/tests/turn/rawturn"
)

// newerText is the secret that takes the place of secretText.
const newerText = "e7c1b8f90d3a4c5e8f7a6b5c4d3e2f10"

// TestTechnicianQuota: the sessions of one technician share what that one may have; those of another do not.
func TestTechnicianQuota(t *testing.T) {
	s := newStand(t, settings{turn: "technician_allocations: 3\n"})
	p := s.probe()
	first, second := pairOf(t, s, `{"ttl":300,"technician":"ann"}`), pairOf(t, s, `{"ttl":300,"technician":"ann"}`)
	other := pairOf(t, s, `{"ttl":300,"technician":"bob"}`)
	held, _ := p.allocated("udp", first.a)
	p.allocated("tcp", first.b)
	p.allocated("tls", second.a)
	c := p.greeted("udp", second.b)
	p.refused486(c, "the fourth of a technician")
	s.wantMetrics(`signalbox_turn_quota_refusals_total{of="technician"} 1`)
	p.allocated("udp", other.a)
	if got := p.do(held, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 0)); got != "success" {
		t.Fatalf("free one: %s", got)
	}
	if got := p.do(c, rawturn.Allocate, rawturn.Transport(17)); got != "success" {
		t.Errorf("after one was freed: %s", got)
	}
}

// TestSecretRotation changes the secret under clients: with the old one below the new one everybody goes on, without it nobody gets in with credentials of the old one. What is
// allocated goes on, whatever became of its credential.
func TestSecretRotation(t *testing.T) {
	s := newStand(t, settings{})
	p := s.probe()
	session := s.open(t)
	held, _ := p.allocated("udp", session.a)
	refresh := func() string { return p.do(held, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)) }
	s.rotate(newerText, secretText)
	await(t, func() bool { return s.renewed(t, session.id, newerText) }, func() string { return "credentials are not made with the new secret" })
	if got := refresh(); got != "success" {
		t.Errorf("refresh with the old secret, which stands below: %s", got)
	}
	p.allocated("tls", session.b)
	fresh := s.renew(t, session.id)
	mine, _ := p.allocated("udp", fresh.b)
	s.rotate(newerText)
	old := p.greeted("udp", session.b)
	await(t, func() bool {
		got := p.do(old, rawturn.Allocate, rawturn.Transport(17))
		if got == "success" {
			must(t, old.Close())
			old = p.greeted("udp", session.b)
		}
		return got == "401"
	}, func() string { return "the secret that was taken away still counts" })
	if got := refresh(); got != "success" {
		t.Errorf("refresh of what was allocated before: %s", got)
	}
	if got := p.do(mine, rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 600)); got != "success" {
		t.Errorf("refresh with the new secret: %s", got)
	}
	p.alive()
}

// rotate writes the secrets and has the server read them.
func (s *stand) rotate(secrets ...string) {
	s.t.Helper()
	text := ""
	for _, one := range secrets {
		text += one + "\n"
	}
	must(s.t, os.WriteFile(filepath.Join(s.site.Dir, "secret"), []byte(text), 0o600))
	must(s.t, syscall.Kill(s.serving, syscall.SIGHUP))
}

// renew makes new credentials for both sides of a session.
func (s *stand) renew(t *testing.T, id string) pair {
	t.Helper()
	var o opened
	s.call(t, "POST", "/v1/turn/sessions/"+id+"/credentials", "", 200, &o)
	account := func(side string) rawturn.Account {
		return rawturn.Account{Username: o.Sides[side].Username, Password: o.Sides[side].Credential}
	}
	return pair{id: id, a: account("a"), b: account("b")}
}

// renewed reports whether new credentials are made with this secret.
func (s *stand) renewed(t *testing.T, id, secret string) bool {
	t.Helper()
	a := s.renew(t, id).a
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(a.Username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)) == a.Password
}

// TestUDP443: with turn.udp_443 the port of the shared listener serves TURN over UDP, too.
func TestUDP443(t *testing.T) {
	s := newStand(t, settings{turn: "udp_443: true\n"})
	p := s.probe()
	at := netip.MustParseAddrPort(s.site.TLS)
	c, err := rawturn.Dial(t.Context(), rawturn.Server{Network: "udp", Addr: at.String(), Local: source()})
	must(t, err)
	defer c.Close()
	relayed, err := c.Allocate(s.open(t).a)
	must(t, err)
	if relayed.Port() < 49152 {
		t.Errorf("the relayed address is %v", relayed)
	}
	p.allocated("tls", s.open(t).a) // the same port over TCP
	p.allocated("udp", s.open(t).a) // and the usual one
}
