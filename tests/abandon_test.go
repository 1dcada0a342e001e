package tests

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const streamHeader = "<stream:stream to='" + harness.Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

// TestAbandonedConnections: whoever connects and goes away, at any stage, leaves nothing behind. It counts the goroutines of the process, so no other test may
// run beside it.
func TestAbandonedConnections(t *testing.T) {
	s := harness.Start(t, func(c *config.Config) { c.XMPP.ResumeTimeout = 0 })
	for i := range identities {
		register(t, s, fmt.Sprintf("pc-%d", i))
	}
	auth := func(who int) string {
		plain := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "\x00pc-%d\x00s3cret-1", who))
		return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plain + "</auth>"
	}
	bind := "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
	hello := []byte{0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3}
	for _, tc := range []struct {
		name  string
		visit func(who int) error
	}{
		{"connected", func(int) error { return visit(s, "tls", nil) }},
		{"half a hello", func(int) error { return visit(s, "tls", hello) }},
		{"half a header in plain text", func(int) error { return visit(s, "xmpp", []byte("<stream:str")) }},
		{"asked for TLS", func(int) error {
			return visit(s, "xmpp", []byte(streamHeader+"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), "<proceed")
		}},
		{"handshake", func(int) error { return secureVisit(s, "") }},
		{"stream open", func(int) error { return secureVisit(s, streamHeader, "</stream:features>") }},
		{"login begun", func(int) error {
			return secureVisit(s, streamHeader+"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1wYy0xLHI9MDEyMzQ1Njc4OWFiY2RlZg==</auth>", "<challenge")
		}},
		{"logged in", func(who int) error {
			return secureVisit(s, streamHeader+auth(who)+streamHeader, "<success", "xmpp-bind")
		}},
		{"bound, half a stanza", func(who int) error {
			return secureVisit(s, streamHeader+auth(who)+streamHeader+bind+"<presence/><message", "<jid>")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			abandon(t, 0, visitors, tc.visit)           // what is made once and kept
			metric(t, s, "signalbox_xmpp_open_streams") // on the connection on which it is asked below, too
			base := runtime.NumGoroutine()
			abandon(t, visitors, visitors+500, tc.visit)
			var text string
			harness.Await(t, func() bool {
				text = metric(t, s, "signalbox_xmpp_open_streams")
				return text == "0" && runtime.NumGoroutine() <= base
			}, func() string {
				var all strings.Builder
				_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
				return fmt.Sprintf("%s streams, %d goroutines, %d before:\n%s", text, runtime.NumGoroutine(), base, all.String())
			})
		})
	}
}

const (
	visitors   = 8   // visits that are made at a time
	identities = 250 // in whose names they are made, in turn: one that is back again and again before its end is seen looks like a clone
)

// abandon makes the visits with these numbers.
func abandon(t *testing.T, from, to int, visit func(who int) error) {
	t.Helper()
	outcomes := make(chan error, to-from)
	next := make(chan int, to-from)
	for n := range to - from {
		next <- (from + n) % identities
	}
	close(next)
	for range visitors {
		go func() { // ends when no visit is left; all outcomes are taken below
			for who := range next {
				outcomes <- visit(who)
			}
		}()
	}
	for range to - from {
		if err := <-outcomes; err != nil {
			t.Fatal(err)
		}
	}
}

// visit connects, says something, waits until all answers were seen, and goes.
func visit(s *harness.Server, listener string, say []byte, answers ...string) error {
	c, err := net.Dial("tcp", s.Addr(listener))
	if err != nil {
		return err
	}
	defer c.Close()
	return talk(c, say, answers)
}

func secureVisit(s *harness.Server, say string, answers ...string) error {
	c, err := tls.Dial("tcp", s.Addr("tls"), s.TLS())
	if err != nil {
		return err
	}
	defer c.NetConn().Close() // not of TLS: without a word
	return talk(c, []byte(say), answers)
}

func talk(c net.Conn, say []byte, answers []string) error {
	if _, err := c.Write(say); err != nil {
		return err
	}
	var got []byte
	for buf := make([]byte, 4096); len(answers) > 0; {
		if strings.Contains(string(got), answers[0]) {
			answers = answers[1:]
			continue
		}
		n, err := c.Read(buf)
		if err != nil {
			return fmt.Errorf("after %q: %w, want %s", got, err, answers[0])
		}
		got = append(got, buf[:n]...)
	}
	return nil
}

// metric returns the value of a metric without labels, over a connection that is not kept.
func metric(t *testing.T, s *harness.Server, name string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(s.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no metric %s", name)
	}
	return string(found[1])
}
