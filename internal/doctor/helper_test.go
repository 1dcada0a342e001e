package doctor

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/certs"
	"signalbox/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "xmpp.lab.example"

// example is an examination of an installation for domain with a good bundle, in a folder of its own, on whose listeners nothing runs.
func example(t *testing.T) *examination {
	t.Helper()
	dir := t.TempDir()
	_, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{domain}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Domain, cfg.DataDir, cfg.Certs.Dir = domain, dir, dir
	put(t, filepath.Join(dir, domain+".pem"), bundle)
	cfg.Listen.TLS, cfg.Listen.XMPP = nil, nil
	return &examination{Installation: Installation{File: "signalbox.yaml", Config: cfg}, dns: zone{}, now: time.Now(), began: time.Now(), patience: 10 * time.Second, local: []netip.Addr{netip.MustParseAddr(zoneAddress)}, root: dir}
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyPair is the bundle of x as a server has it.
func keyPair(t *testing.T, x *examination) tls.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(x.Config.Certs.Dir, domain+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// answering has a program answer connections, each in turn, and returns its address. What it leaves open stays so to the test's end.
func answering(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var open []net.Conn
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			open = append(open, conn)
			answer(conn)
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		running.Wait()
		for _, c := range open {
			_ = c.Close()
		}
	})
	return ln.Addr().String()
}

// said reads up to a stream header or an element that ends so.
func said(conn net.Conn, end string) {
	r := bufio.NewReader(conn)
	for seen := ""; !strings.HasSuffix(seen, end); {
		b, err := r.ReadByte()
		if err != nil {
			return
		}
		seen += string(b)
	}
}

const streamHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='xmpp.lab.example' id='1' version='1.0'>"

// offering answers stream headers with this.
func offering(text string) func(net.Conn) {
	return func(conn net.Conn) {
		said(conn, "to='"+domain+"'>")
		_, _ = conn.Write([]byte(streamHeader + text))
	}
}

// lines returns what was found, for comparison: "wrong check: detail".
func lines(x *examination) []string {
	out := []string{}
	for _, c := range x.checks {
		word := "ok"
		switch {
		case !c.OK:
			word = "wrong"
		case c.Warning:
			word = "warning"
		}
		out = append(out, word+" "+c.Check+": "+c.Detail)
	}
	return out
}

// wantLines asserts that there are as many lines as texts, each with its text in it.
func wantLines(t *testing.T, x *examination, texts ...string) {
	t.Helper()
	got := lines(x)
	if len(got) != len(texts) {
		t.Fatalf("found %d things, want %d:\n%s", len(got), len(texts), strings.Join(got, "\n"))
	}
	for i := range got {
		if !strings.Contains(got[i], texts[i]) {
			t.Errorf("line %d is %q, want %q in it", i, got[i], texts[i])
		}
	}
}
