package agent

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/agent/path"
)

const testDomain = "example.org"

// testCert is made once: a self-signed certificate that is its own authority, valid in the virtual time of synctest as well.
var testCert = sync.OnceValues(func() (tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{testDomain},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
})

// testConfig returns a valid configuration for the test server.
func testConfig(t *testing.T) Config {
	t.Helper()
	_, ca := testCert()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(caFile, ca, 0o600))
	cfg := Default()
	cfg.ID, cfg.Domain, cfg.Secret, cfg.CAFile = "pc-1", testDomain, "s3cret", caFile
	cfg.StateDir, cfg.Addresses, cfg.AllowPlain = t.TempDir(), []string{"server:443"}, true
	return cfg
}

// network hands the agent's connections to the test.
type network struct {
	accept chan net.Conn
	mu     sync.Mutex
	dialed []string
	refuse map[string]bool
}

func newNetwork() *network { return &network{accept: make(chan net.Conn), refuse: map[string]bool{}} }

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, address)
	refused := n.refuse[address]
	n.mu.Unlock()
	if refused {
		return nil, errors.New("refused " + address)
	}
	client, server := net.Pipe()
	select {
	case n.accept <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) addresses() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.dialed...)
}

// peer is the server's side of one connection, driven by a test.
type peer struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

// peerTimeout is how long a peer waits for the agent.
const peerTimeout = 3 * time.Hour

func newPeer(t *testing.T, conn net.Conn) *peer {
	t.Cleanup(func() { conn.Close() })
	return &peer{t, conn, bufio.NewReader(conn)}
}

// secure returns a peer over TLS with the test's certificate.
func (p *peer) secure(change func(*tls.Config)) *peer {
	p.t.Helper()
	cert, _ := testCert()
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{path.ALPN}}
	if change != nil {
		change(cfg)
	}
	conn := tls.Server(p.conn, cfg)
	if err := conn.HandshakeContext(p.t.Context()); err != nil {
		p.t.Fatalf("TLS: %v", err)
	}
	return newPeer(p.t, conn)
}

func (p *peer) send(text string) {
	p.t.Helper()
	if err := p.conn.SetWriteDeadline(time.Now().Add(peerTimeout)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatalf("send %s: %v", text, err)
	}
}

// expect reads exactly text.
func (p *peer) expect(text string) {
	p.t.Helper()
	var got []byte
	for len(got) < len(text) {
		b, err := p.readByte()
		if err != nil {
			p.t.Fatalf("got  %s\nthen %v, want\n     %s", got, err, text)
		}
		got = append(got, b)
		if b != text[len(got)-1] {
			rest, _ := p.r.Peek(p.r.Buffered())
			p.t.Fatalf("got  %s%s\nwant %s", got, rest, text)
		}
	}
}

// until reads up to and including text.
func (p *peer) until(text string) string {
	p.t.Helper()
	var got []byte
	for !bytes.HasSuffix(got, []byte(text)) {
		b, err := p.readByte()
		if err != nil {
			p.t.Fatalf("got  %s\nthen %v, want it to end with\n     %s", got, err, text)
		}
		got = append(got, b)
	}
	return string(got)
}

func (p *peer) readByte() (byte, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(peerTimeout)); err != nil {
		return 0, err
	}
	return p.r.ReadByte()
}

// drain reads until the agent has closed the connection.
func (p *peer) drain() {
	p.t.Helper()
	for {
		if _, err := p.readByte(); errors.Is(err, os.ErrDeadlineExceeded) {
			p.t.Fatal("the agent did not close the connection")
		} else if err != nil {
			return
		}
	}
}

// gone waits until the agent has closed the connection.
func (p *peer) gone() {
	p.t.Helper()
	if b, err := p.readByte(); err == nil {
		p.t.Fatalf("the agent sent %q instead of closing", b)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatal("the agent did not close the connection")
	}
}

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' " +
	"id='s1' from='" + testDomain + "' version='1.0'>"

// open takes a stream header and answers with one and the features.
func (p *peer) open(features string) {
	p.t.Helper()
	p.until("to='" + testDomain + "' from='pc-1@" + testDomain + "'>")
	p.send(header + "<stream:features>" + features + "</stream:features>")
}

func mechanisms(names ...string) string {
	return "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>" + strings.Join(names, "</mechanism><mechanism>") + "</mechanism></mechanisms>"
}

const boundFeatures = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/>"

// login plays a login with PLAIN up to the bind and whatever follows the bind's answer in the same write.
func (p *peer) login(behind string) {
	p.t.Helper()
	p.open(mechanisms("PLAIN"))
	p.expect(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">` + base64.StdEncoding.EncodeToString([]byte("\x00pc-1\x00s3cret")) + "</auth>")
	p.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
	p.bind(behind)
}

func (p *peer) bind(behind string) {
	p.t.Helper()
	p.open(boundFeatures)
	request := p.until("</iq>")
	_, id, _ := strings.Cut(request, `id="`)
	id, _, _ = strings.Cut(id, `"`)
	p.send("<iq type='result' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>pc-1@" + testDomain + "/r1</jid></bind></iq>" + behind)
}

// start plays all up to the initial presence.
func (p *peer) start() {
	p.t.Helper()
	p.login("")
	p.enable()
}

func (p *peer) enable() {
	p.t.Helper()
	p.expect("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	p.send("<enabled xmlns='urn:xmpp:sm:3'/>")
	p.expect("<presence/>")
}

// finish takes the agent's closing tag and answers it.
func (p *peer) finish() {
	p.t.Helper()
	p.expect("</stream:stream>")
	p.send("</stream:stream>")
	p.gone()
}

// scram plays the server's part of SCRAM-SHA-256 (RFC 5802, 7677, 9266), written from the RFCs.
func (p *peer) scram(mechanism, secret string) {
	p.t.Helper()
	b64 := base64.StdEncoding
	first := p.decode(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="`+mechanism+`">`, "</auth>")
	gs2, bare := "n,,", ""
	var binding []byte
	if strings.HasSuffix(mechanism, "-PLUS") {
		gs2 = "p=tls-exporter,,"
		state := p.conn.(*tls.Conn).ConnectionState()
		var err error
		binding, err = state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		must(p.t, err)
	}
	bare, ok := strings.CutPrefix(first, gs2)
	if !ok {
		p.t.Fatalf("first message %q does not begin with %q", first, gs2)
	}
	_, nonce, _ := strings.Cut(bare, "r=")
	challenge := "r=" + nonce + "server,s=" + b64.EncodeToString([]byte("salt")) + ",i=4096"
	p.send("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b64.EncodeToString([]byte(challenge)) + "</challenge>")
	final := p.decode(`<response xmlns="urn:ietf:params:xml:ns:xmpp-sasl">`, "</response>")
	without, proof, _ := strings.Cut(final, ",p=")
	if want := "c=" + b64.EncodeToString(append([]byte(gs2), binding...)) + ",r=" + nonce + "server"; without != want {
		p.t.Fatalf("final message %q, want %q", without, want)
	}
	salted, err := pbkdf2.Key(sha256.New, secret, []byte("salt"), 4096, 32)
	must(p.t, err)
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	all := bare + "," + challenge + "," + without
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	signature := mac(stored[:], all)
	for i := range signature {
		signature[i] ^= clientKey[i]
	}
	if proof != b64.EncodeToString(signature) {
		p.send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")
		return
	}
	v := "v=" + b64.EncodeToString(mac(mac(salted, "Server Key"), all))
	p.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + b64.EncodeToString([]byte(v)) + "</success>")
}

func (p *peer) decode(before, behind string) string {
	p.t.Helper()
	p.expect(before)
	text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(p.until(behind), behind))
	must(p.t, err)
	return string(text)
}

// pushXML is a push as the server writes it.
func pushXML(id, kind, inner string) string {
	return fmt.Sprintf("<message from='%[4]s' to='pc-1@%[4]s' id='%[1]s'><push xmlns='urn:signalbox:push:1' id='%[1]s' type='%[2]s' priority='normal'>%[3]s</push>"+
		"<request xmlns='urn:xmpp:receipts'/></message>", id, kind, inner, testDomain)
}

func jsonXML(text string) string { return "<json xmlns='urn:xmpp:json:0'>" + text + "</json>" }

func receiptXML(id string) string {
	return "<message to='" + testDomain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>"
}

func resultXML(id, status, inner string) string {
	return "<message to='" + testDomain + "'><result xmlns='urn:signalbox:push:1' id='" + id + "' status='" + status + "'>" + inner + "</result></message>"
}

const (
	ackRequest = "<r xmlns='urn:xmpp:sm:3'/>"
	ackFormat  = "<a xmlns='urn:xmpp:sm:3' h='%d'/>"
)

func writeFile(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, []byte(text), mode))
	must(t, os.Chmod(path, mode)) // whatever the umask is
	return path
}
