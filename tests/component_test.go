package tests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
	"signalbox/xmpp/component"
)

const bot = "bot." + harness.Domain

// TestComponentHandshakeReplay: a handshake that was right once is wrong on every other stream (row 53 of the list of attacks), and ids of streams never repeat.
func TestComponentHandshakeReplay(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Components)
	ids := map[string]bool{}
	first := s.ConnectComponent(t, "first")
	id := first.OpenComponent(bot)
	proof := "<handshake>" + component.Handshake(id, []byte(harness.ComponentSecret)) + "</handshake>"
	first.Send(proof)
	first.Want("<handshake/>")
	first.Close()
	for range 20 {
		again := s.ConnectComponent(t, "replay")
		id := again.OpenComponent(bot)
		if ids[id] || len(id) < 22 {
			t.Fatalf("id of a stream %q: seen before %v, want 128 random bits", id, ids[id])
		}
		ids[id] = true
		again.Send(proof)
		again.Want("<stream:error><not-authorized")
	}
}

// TestComponentTaken: the first connection of a name stays, and its place is free when it ends.
func TestComponentTaken(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Components)
	first := s.ConnectComponent(t, "first")
	first.Serve(bot)
	second := s.ConnectComponent(t, "second")
	second.Send("<handshake>" + component.Handshake(second.OpenComponent(bot), []byte(harness.ComponentSecret)) + "</handshake>")
	second.Want("<stream:error><conflict")
	first.Send("<iq type='get' id='1' from='" + bot + "' to='" + harness.Domain + "'><ping xmlns='urn:xmpp:ping'/></iq>")
	first.Want("type='result'")
	first.Send("</stream:stream>")
	first.Want("(end)")
	s.ConnectComponent(t, "third").Serve(bot)
}

// TestComponentBounds: what a component may send is bounded, before its handshake as for every stranger.
func TestComponentBounds(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Components, func(c *config.Config) {
		c.XMPP.MaxStanzaBytes, c.XMPP.LoginTimeout, c.XMPP.StanzaTimeout = 10000, 5*time.Second, 5*time.Second
	})
	serving := func(name string) *harness.Stream {
		st := s.ConnectComponent(t, name)
		st.Serve(name + "." + harness.Domain)
		return st
	}
	t.Run("silent stranger", func(t *testing.T) {
		t.Parallel()
		st := s.ConnectComponent(t, "silent")
		st.OpenComponent(bot)
		st.Want("<stream:error><connection-timeout")
	})
	t.Run("big handshake", func(t *testing.T) {
		t.Parallel()
		st := s.ConnectComponent(t, "big")
		st.OpenComponent(bot)
		st.Send("<handshake>" + strings.Repeat("a", 20000))
		st.Want("<stream:error><policy-violation")
	})
	t.Run("big stanza", func(t *testing.T) {
		t.Parallel()
		st := serving("bot")
		st.Send("<message from='" + bot + "' to='pc-1@" + harness.Domain + "'><body>" + strings.Repeat("a", 10001) + "</body></message>")
		st.Want("<stream:error><policy-violation")
	})
	t.Run("slow stanza", func(t *testing.T) {
		t.Parallel()
		st := serving("gate")
		st.Send("<message from='gate." + harness.Domain + "'")
		st.Want("<stream:error><policy-violation")
	})
	t.Run("document type", func(t *testing.T) {
		t.Parallel()
		st := s.ConnectComponent(t, "doctype")
		st.Send("<!DOCTYPE a [<!ENTITY b 'c'>]>")
		st.Want("(stream)")
		st.Want("<stream:error><restricted-xml")
	})
}

// authority signs certificates of components.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "components"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	own := a.sign(a.cert)
	a.key, a.cert = own.PrivateKey.(*ecdsa.PrivateKey), own.Leaf
	return a
}

// sign makes a certificate with a new key; the first one signs itself.
func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) client(usage x509.ExtKeyUsage) tls.Certificate {
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "bot"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	})
}

// TestComponentMutualTLS: with xmpp.component_ca the listener speaks TLS alone, and with those alone whom that authority knows.
func TestComponentMutualTLS(t *testing.T) {
	t.Parallel()
	ours, foreign := newAuthority(t), newAuthority(t)
	s := harness.Start(t, harness.Components, func(c *config.Config) {
		c.XMPP.ComponentCA = filepath.Join(filepath.Dir(c.DataDir), "component-ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ours.cert.Raw})
		if err := os.WriteFile(c.XMPP.ComponentCA, text, 0o644); err != nil {
			t.Fatal(err)
		}
		c.Listen.Component = []string{"0.0.0.0:0"}
	})
	_, port, err := net.SplitHostPort(s.Addr("component"))
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	for _, tc := range []struct {
		name string
		own  []tls.Certificate
		ok   bool
	}{
		{"known", []tls.Certificate{ours.client(x509.ExtKeyUsageClientAuth)}, true},
		{"none", nil, false},
		{"another authority", []tls.Certificate{foreign.client(x509.ExtKeyUsageClientAuth)}, false},
		{"for servers", []tls.Certificate{ours.client(x509.ExtKeyUsageServerAuth)}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := s.TLS()
			cfg.NextProtos, cfg.Certificates = nil, tc.own
			if !tc.ok {
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // also one that was not asked for
					if len(tc.own) == 0 {
						return new(tls.Certificate), nil
					}
					return &tc.own[0], nil
				}
			}
			c, err := tls.Dial("tcp", addr, cfg)
			if err == nil && !tc.ok { // TLS 1.3 tells the client of the refusal with the first read
				_, err = c.Read(make([]byte, 1))
			}
			if (err == nil) != tc.ok {
				t.Fatalf("TLS = %v, want success %v", err, tc.ok)
			}
			if tc.ok {
				harness.NewStream(t, tc.name, c).Serve(bot)
			}
		})
	}
	t.Run("plain text", func(t *testing.T) {
		st := s.ConnectComponent(t, "plain")
		st.Send("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='" + bot + "'>")
		st.Want("(closed)")
	})
}
