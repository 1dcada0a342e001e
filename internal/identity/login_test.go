package identity

import (
	"bytes"
	"strings"
	"testing"
)

// signed returns a statement with the signatures of both sides.
func signed() (s Statement, server, endpoint Key, byServer, byEndpoint []byte) {
	server, endpoint = Generate(), Generate()
	s = Statement{
		Domain: "xmpp.example.com", Hello: Hello{Binding: BoundExporter, ID: "pc-1", Nonce: Nonce()}, ServerNonce: Nonce(), Server: server.Public(), Bound: []byte("keying material"),
	}
	return s, server, endpoint, s.SignServer(server), s.SignEndpoint(endpoint)
}

// Whatever of a login is changed on its way, neither side takes it.
func TestStatementIsOfOneLogin(t *testing.T) {
	s, server, endpoint, byServer, byEndpoint := signed()
	if !s.VerifyServer(byServer) || !s.VerifyEndpoint(endpoint.Public(), byEndpoint) {
		t.Fatal("the signatures of a login are not accepted")
	}
	if s.VerifyServer(s.SignEndpoint(server)) || s.VerifyEndpoint(server.Public(), byServer) {
		t.Error("a signature of one side is accepted as the other's")
	}
	if s.VerifyEndpoint(Generate().Public(), byEndpoint) || s.VerifyEndpoint(Public{}, byEndpoint) {
		t.Error("a signature is accepted by another key")
	}
	for name, change := range map[string]func(*Statement){
		"domain":           func(s *Statement) { s.Domain = "xmpp.example.org" },
		"id":               func(s *Statement) { s.ID = "pc-2" },
		"binding":          func(s *Statement) { s.Binding = Unbound },
		"unbound":          func(s *Statement) { s.Binding, s.Bound = Unbound, nil },
		"keying material":  func(s *Statement) { s.Bound = []byte("keying materials") },
		"nonce":            func(s *Statement) { s.Nonce = Nonce() },
		"server's nonce":   func(s *Statement) { s.ServerNonce = Nonce() },
		"exchanged nonces": func(s *Statement) { s.Nonce, s.ServerNonce = s.ServerNonce, s.Nonce },
		"server's key":     func(s *Statement) { s.Server = Generate().Public() },
		"shifted border":   func(s *Statement) { s.Domain, s.ID = s.Domain+"p", "c-1" },
	} {
		other := s
		change(&other)
		if other.VerifyServer(byServer) || other.VerifyEndpoint(endpoint.Public(), byEndpoint) {
			t.Errorf("%s: a signature of another login is accepted", name)
		}
	}
}

func TestStreamProofIsOfOneConnection(t *testing.T) {
	k := Generate()
	p := StreamProof{Domain: "xmpp.example.com", Nonce: Nonce(), Bound: []byte("keying material")}
	sig := p.Sign(k)
	if !p.Verify(k.Public(), sig) {
		t.Fatal("the proof is not accepted")
	}
	for name, other := range map[string]StreamProof{
		"another connection": {p.Domain, p.Nonce, []byte("other material")},
		"another nonce":      {p.Domain, Nonce(), p.Bound},
		"another domain":     {"xmpp.example.org", p.Nonce, p.Bound},
	} {
		if other.Verify(k.Public(), sig) {
			t.Errorf("%s: the proof is accepted", name)
		}
	}
	for name, weak := range map[string]StreamProof{"no connection": {p.Domain, p.Nonce, nil}, "no nonce": {p.Domain, "", p.Bound}} {
		if weak.Verify(k.Public(), weak.Sign(k)) {
			t.Errorf("%s: the proof is accepted", name)
		}
	}
}

func TestEnrolmentProofIsOfOneEndpoint(t *testing.T) {
	k, endpoint := Generate(), Generate().Public()
	p := EnrolmentProof{Domain: "xmpp.example.com", ID: "pc-1", Endpoint: endpoint, Bound: []byte("keying material")}
	sig := p.Sign(k)
	if !p.Verify(k.Public(), sig) {
		t.Fatal("the proof is not accepted")
	}
	for name, other := range map[string]EnrolmentProof{
		"no connection":   {p.Domain, p.ID, p.Endpoint, nil},
		"another id":      {p.Domain, "pc-2", p.Endpoint, p.Bound},
		"another key":     {p.Domain, p.ID, Generate().Public(), p.Bound},
		"another domain":  {"xmpp.example.org", p.ID, p.Endpoint, p.Bound},
		"a shifted field": {p.Domain + "p", "c-1", p.Endpoint, p.Bound},
	} {
		if other.Verify(k.Public(), sig) {
			t.Errorf("%s: the proof is accepted", name)
		}
	}
}

func TestMessagesComeBack(t *testing.T) {
	s, _, _, byServer, byEndpoint := signed()
	if h, err := ParseHello(s.Hello.Encode()); err != nil || h != s.Hello {
		t.Errorf("ParseHello() = %+v, %v, want %+v", h, err, s.Hello)
	}
	want := Challenge{Nonce: s.ServerNonce, Server: s.Server, Signature: byServer}
	if c, err := ParseChallenge(want.Encode()); err != nil || c.Nonce != want.Nonce || c.Server != want.Server || !bytes.Equal(c.Signature, byServer) {
		t.Errorf("ParseChallenge() = %+v, %v, want %+v", c, err, want)
	}
	if sig, err := ParseAnswer(EncodeAnswer(byEndpoint)); err != nil || !bytes.Equal(sig, byEndpoint) {
		t.Errorf("ParseAnswer() = %x, %v, want %x", sig, err, byEndpoint)
	}
}

func TestMessagesAreReadStrictly(t *testing.T) {
	n := Nonce()
	sig := strings.Repeat("A", 86)
	for _, bad := range []string{
		"", "1", "1\x00none\x00pc-1", "2\x00none\x00pc-1\x00" + n, "1\x00tls-unique\x00pc-1\x00" + n, "1\x00none\x00\x00" + n, "1\x00none\x00pc-1\x00" + n[1:],
		"1\x00none\x00pc-1\x00" + n + "A", "1\x00none\x00pc-1\x00" + n + "\x00", "1\x00none\x00" + strings.Repeat("x", maxLoginText+1) + "\x00" + n, "\x00none\x00pc-1\x00" + n,
	} {
		if h, err := ParseHello([]byte(bad)); err == nil {
			t.Errorf("ParseHello(%q) = %+v, want an error", bad, h)
		}
	}
	key := Generate().Public().String()
	for _, bad := range []string{"", n, n + "\x00" + key, n + "\x00" + key + "\x00", n + "\x00x\x00" + sig, n[1:] + "\x00" + key + "\x00" + sig, n + "\x00" + key + "\x00" + sig[1:], n + "\x00" + key + "\x00" + sig + "="} {
		if c, err := ParseChallenge([]byte(bad)); err == nil {
			t.Errorf("ParseChallenge(%q) = %+v, want an error", bad, c)
		}
	}
	for _, bad := range []string{"", sig[1:], sig + "A", sig[:85] + "B", sig[:85] + "\n"} {
		if got, err := ParseAnswer([]byte(bad)); err == nil {
			t.Errorf("ParseAnswer(%q) = %x, want an error", bad, got)
		}
	}
}

// What is read is written as it was read: no message has two spellings.
func FuzzMessages(f *testing.F) {
	s, _, _, byServer, byEndpoint := signed()
	f.Add(s.Hello.Encode())
	f.Add(Challenge{s.ServerNonce, s.Server, byServer}.Encode())
	f.Add(EncodeAnswer(byEndpoint))
	f.Add([]byte("1\x00none\x00\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if h, err := ParseHello(message); err == nil && !bytes.Equal(h.Encode(), message) {
			t.Errorf("ParseHello(%q) = %+v", message, h)
		}
		if c, err := ParseChallenge(message); err == nil && !bytes.Equal(c.Encode(), message) {
			t.Errorf("ParseChallenge(%q) = %+v", message, c)
		}
		if sig, err := ParseAnswer(message); err == nil && !bytes.Equal(EncodeAnswer(sig), message) {
			t.Errorf("ParseAnswer(%q) = %x", message, sig)
		}
	})
}

func TestEnrolledIsProvenByConnection(t *testing.T) {
	server, endpoint := Generate(), Generate().Public()
	e := Enrolled{ID: "pc-1", Domain: "xmpp.example.com"}
	e.Sign(server, endpoint, []byte("keying material"))
	if !e.Proven(endpoint, []byte("keying material")) || !e.Proven(endpoint, nil) {
		t.Fatal("the answer is not proven")
	}
	if e.Proven(endpoint, []byte("other material")) || e.Proven(Generate().Public(), nil) {
		t.Error("an answer on another connection or to another endpoint is proven")
	}
	swapped := e
	swapped.Proof = e.Unbound
	if swapped.Proven(endpoint, []byte("keying material")) {
		t.Error("a proof without the connection is taken for one with it")
	}
	e.ServerKey = Generate().Public()
	if e.Proven(endpoint, nil) {
		t.Error("a proof is taken for that of another server")
	}
	var unbound Enrolled
	unbound.Sign(server, endpoint, nil)
	if unbound.Proof != "" || unbound.Proven(endpoint, []byte("keying material")) || !unbound.Proven(endpoint, nil) {
		t.Error("a connection that is bound to nothing has a proof with it, or none without")
	}
}
