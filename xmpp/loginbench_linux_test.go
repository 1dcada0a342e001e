package xmpp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/link"
)

// place is a server on a real socket. Handshakes are made here, as the listener makes them.
type place struct {
	bench    *bench
	listener net.Listener
	server   *tls.Config
	client   *tls.Config
	endPoint [32]byte
	running  sync.WaitGroup
}

func newPlace(b *testing.B) *place {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{testDomain}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	p := &place{bench: newBench(b), endPoint: sha256.Sum256(der)}
	p.server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS13}
	p.client = &tls.Config{InsecureSkipVerify: true, ServerName: testDomain}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.running.Go(func() { p.accept(ctx) })
	b.Cleanup(func() {
		cancel()
		p.listener.Close()
		p.running.Wait()
		p.bench.driver.Wait()
	})
	return p
}

func (p *place) accept(ctx context.Context) {
	for {
		raw, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() {
			c := tls.Server(raw, p.server)
			if c.HandshakeContext(ctx) != nil {
				raw.Close()
				return
			}
			cs := c.ConnectionState()
			exporter, _ := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
			p.bench.ServeConn(ctx, c, link.Info{
				Remote: netip.MustParseAddrPort("192.0.2.1:1234"), Via: link.ViaTLS, TLS: link.TLS{Version: cs.Version, EndPoint: p.endPoint[:], Exporter: exporter},
			})
		})
	}
}

// caller is an endpoint on a fresh connection.
type caller struct {
	b    *testing.B
	conn *tls.Conn
	got  []byte
	seen int // of got
}

func (p *place) call(b *testing.B) *caller {
	c, err := tls.Dial("tcp", p.listener.Addr().String(), p.client)
	if err != nil {
		b.Fatal(err)
	}
	return &caller{b: b, conn: c, got: make([]byte, 0, 8<<10)}
}

func (c *caller) send(parts ...string) {
	if _, err := c.conn.Write([]byte(strings.Join(parts, ""))); err != nil {
		c.b.Fatal(err)
	}
}

// until reads on until something comes, and returns what came before it.
func (c *caller) until(end string) string {
	for {
		if i := bytes.Index(c.got[c.seen:], []byte(end)); i >= 0 {
			text := string(c.got[c.seen : c.seen+i])
			c.seen += i + len(end)
			return text
		}
		n, err := c.conn.Read(c.got[len(c.got):cap(c.got)])
		if c.got = c.got[:len(c.got)+n]; err != nil {
			c.b.Fatalf("%v after %s", err, c.got)
		}
	}
}

func after(text, mark string) string { return text[strings.LastIndex(text, mark)+len(mark):] }

// keys are what a client keeps of its secret, so that no login costs it a slow hash.
type keys struct{ client, stored []byte }

func newKeys(salt []byte) keys {
	salted, _ := pbkdf2.Key(sha256.New, "s3cret-1", salt, 4096, 32)
	m := hmac.New(sha256.New, salted)
	m.Write([]byte("Client Key"))
	client := m.Sum(nil)
	stored := sha256.Sum256(client)
	return keys{client, stored[:]}
}

const bareFirst = "n=pc-1,r=abcdefghijklmnopqrstuvwx"

// scram sends the two messages of SCRAM-SHA-256 by start and by an element of the namespace.
func (c *caller) scram(k keys, start, namespace string) {
	c.send(start)
	c.until("<challenge xmlns='" + namespace + "'>")
	challenge, _ := base64.StdEncoding.DecodeString(c.until("</challenge>"))
	nonce, _, _ := strings.Cut(strings.TrimPrefix(string(challenge), "r="), ",")
	final := "c=biws,r=" + nonce
	m := hmac.New(sha256.New, k.stored)
	m.Write([]byte(bareFirst + "," + string(challenge) + "," + final))
	proof := m.Sum(nil)
	subtle.XORBytes(proof, proof, k.client)
	c.send("<response xmlns='"+namespace+"'>", base64.StdEncoding.EncodeToString([]byte(final+",p="+base64.StdEncoding.EncodeToString(proof))), "</response>")
}

var (
	auth         = "<auth xmlns='" + nsSASL + "' mechanism='SCRAM-SHA-256'>" + base64.StdEncoding.EncodeToString([]byte("n,,"+bareFirst)) + "</auth>"
	authenticate = "<authenticate xmlns='" + nsSASL2 + "' mechanism='SCRAM-SHA-256'><initial-response>" + base64.StdEncoding.EncodeToString([]byte("n,,"+bareFirst)) + "</initial-response>" + client
)

// full logs in by SCRAM-SHA-256 as RFC 6120 has it, binds and enables stream management. It returns the id of the session.
func (c *caller) full(k keys) string {
	c.scram(k, header+auth, nsSASL)
	c.until("</success>")
	c.send(header, bindAgent, enable)
	c.until("<enabled xmlns='" + nsSM + "' id='")
	return c.until("'")
}

// resume logs in by SCRAM-SHA-256 and resumes.
func (c *caller) resume(k keys, id string) {
	c.scram(k, header+auth, nsSASL)
	c.until("</success>")
	c.send(header, resumeOf(id, 0))
	c.until("<resumed ")
	c.until("/>")
}

// inline logs in by SCRAM-SHA-256 with what is asked for beside it. It returns <success/>.
func (c *caller) inline(k keys, more string) string {
	c.scram(k, header+authenticate+more+"</authenticate>", nsSASL2)
	return c.until("</success>")
}

// fast logs in by a token.
func (c *caller) fast(token, more string) {
	state := c.conn.ConnectionState()
	exporter, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		c.b.Fatal(err)
	}
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("Initiator"))
	m.Write(exporter)
	c.send(header, "<authenticate xmlns='"+nsSASL2+"' mechanism='HT-SHA-256-EXPR'><initial-response>",
		base64.StdEncoding.EncodeToString(append([]byte("pc-1\x00"), m.Sum(nil)...)), "</initial-response>"+client+"<fast xmlns='"+nsFast+"'/>", more, "</authenticate>")
	c.until("</success>")
}

// BenchmarkLogin has one endpoint come back again and again, each time on a new TLS 1.3 connection with a full handshake. "handshake" is what all of them contain:
// what is above it is the login, with the client's share of bytes and hashes, but without slow ones, which clients keep. cpu-us is of both ends, user and system.
func BenchmarkLogin(b *testing.B) {
	p := newPlace(b)
	k := newKeys(testSecret().Scram["SCRAM-SHA-256"].Salt)
	resumable := func(b *testing.B) (id, token string) {
		c := p.call(b)
		said := c.inline(k, bind2+"<request-token xmlns='"+nsFast+"' mechanism='HT-SHA-256-EXPR'/>")
		id, _, _ = strings.Cut(after(said, "<enabled xmlns='"+nsSM+"' id='"), "'")
		token, _, _ = strings.Cut(after(said, " token='"), "'")
		c.conn.Close()
		return id, token
	}
	resumption := func(id string) string {
		return "<resume xmlns='" + nsSM + "' previd='" + id + "' h='0'/>"
	}
	for _, way := range []struct {
		name  string
		login func(c *caller, id, token string)
	}{
		{"handshake", func(c *caller, _, _ string) { c.send(header); c.until("</stream:features>") }},
		{"SCRAM", func(c *caller, _, _ string) { c.full(k) }},
		{"SCRAM_inline", func(c *caller, _, _ string) { c.inline(k, bind2) }},
		{"SCRAM_resume", func(c *caller, id, _ string) { c.resume(k, id) }},
		{"SCRAM_inline_resume", func(c *caller, id, _ string) { c.inline(k, resumption(id)) }},
		{"FAST", func(c *caller, _, token string) { c.fast(token, bind2) }},
		{"FAST_resume", func(c *caller, id, token string) { c.fast(token, resumption(id)) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			id, token := resumable(b)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				c := p.call(b)
				way.login(c, id, token)
				c.conn.Close()
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
