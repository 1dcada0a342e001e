package why

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/internal/diagnosis"
	"signalbox/tests/harness"
)

const secret = "s3cret-1"

// quick has a server give up early on what strangers do not finish.
func quick(c *config.Config) {
	c.Listen.FirstByteTimeout, c.Listen.HandshakeTimeout, c.XMPP.LoginTimeout = 5*time.Second, 5*time.Second, 10*time.Second
	c.XMPP.FailureDelay = 100 * time.Millisecond
	c.XMPP.ResumeTimeout = 5 * time.Second
}

// scene is one endpoint of a server, at an address of loopback that is its own.
type scene struct {
	t  *testing.T
	s  *harness.Server
	id string
	ip string

	deaf bool // its connections take next to nothing that nobody reads
}

var places atomic.Int32

// newScene registers an endpoint.
func newScene(t *testing.T, s *harness.Server) *scene {
	t.Helper()
	n := int(places.Add(1))
	c := &scene{t: t, s: s, id: fmt.Sprintf("pc-%d", n), ip: fmt.Sprintf("127.0.%d.%d", 1+n/250, 1+n%250)}
	c.register(c.id)
	return c
}

func (c *scene) register(id string) {
	c.t.Helper()
	c.s.Call(c.t, "POST", "/v1/endpoints", `{"id":"`+id+`","secret":"`+secret+`"}`, http.StatusCreated)
}

// dialer dials from the scene's address.
func (c *scene) dialer() *net.Dialer {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.ip)}}
	if c.deaf {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		}
	}
	return d
}

// tcp opens a connection to a listener and says nothing.
func (c *scene) tcp(listener string) net.Conn {
	c.t.Helper()
	conn, err := c.dialer().DialContext(c.t.Context(), "tcp", c.s.Addr(listener))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return conn
}

// stream opens a direct TLS connection.
func (c *scene) stream() *harness.Stream {
	c.t.Helper()
	return c.s.ConnectThrough(c.t, c.id, c.dialer())
}

// online logs the endpoint in and sends its presence.
func (c *scene) online() *harness.Stream {
	c.t.Helper()
	st := c.stream()
	st.Login(c.id, secret, "agent")
	st.Send("<presence xmlns='jabber:client'/>")
	c.s.AwaitPresence(c.t, c.id, "online")
	return st
}

// home lets the endpoint be online once, so that its address is known, and go properly.
func (c *scene) home() {
	c.t.Helper()
	st := c.online()
	st.Send("</stream:stream>")
	for st.Next() != "(closed)" {
	}
	c.s.AwaitPresence(c.t, c.id, "offline")
}

// diagnosed is the answer of the API.
type diagnosed struct {
	State, Code, Summary, Action string
	OK                           bool
	Steps                        []struct{ Step, Result, Code, Address, Detail string }
	Attempts                     []struct {
		Code, Address, By string
		Count, Others     int
	}
	Also []struct{ Code, Summary, Action string }
}

func (c *scene) diagnose() (d diagnosed) {
	c.t.Helper()
	_, text := c.s.Call(c.t, "GET", "/v1/endpoints/"+c.id+"/diagnosis", "", http.StatusOK)
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	return d
}

// await waits for a code, and checks the form of the sentences and of the ladder.
func (c *scene) await(code string) diagnosed {
	c.t.Helper()
	var d diagnosed
	harness.Await(c.t, func() bool { d = c.diagnose(); return d.Code == code },
		func() string { return fmt.Sprintf("code is %s, want %s\n%+v", d.Code, code, d) })
	oneSentence(c.t, "summary", d.Summary)
	oneSentence(c.t, "action", d.Action)
	c.climbs(d)
	return d
}

// unfilled finds what does not belong into a sentence.
var unfilled = regexp.MustCompile(`\{[a-z]*\}|\n`)

// oneSentence holds a text against the form of a sentence.
func oneSentence(t *testing.T, what, text string) {
	t.Helper()
	bare := strings.TrimSuffix(text, ".")
	if bare == text || strings.Contains(bare, ". ") || unfilled.MatchString(text) || strings.Contains(text, "  ") ||
		strings.Contains(text, "()") || strings.Contains(text, " ,") {
		t.Errorf("%s is not one plain sentence: %q", what, text)
	}
}

// climbs holds a ladder against its rules: all steps in their order, and behind one that failed nothing was reached but the management server.
func (c *scene) climbs(d diagnosed) {
	c.t.Helper()
	var steps []string
	broken := false
	for _, r := range d.Steps {
		steps = append(steps, r.Step)
		if broken && r.Step != "event" && r.Result != "not_reached" {
			c.t.Errorf("step %s is %s behind one that failed", r.Step, r.Result)
		}
		if broken = broken || r.Result == "failed"; r.Result == "failed" && r.Code == "" {
			c.t.Errorf("step %s failed without a code", r.Step)
		}
	}
	var want []string
	for _, s := range diagnosis.Steps() {
		want = append(want, string(s))
	}
	if !slices.Equal(steps, want) {
		c.t.Errorf("steps = %v, want %v", steps, want)
	}
	for _, code := range diagnosis.Codes() {
		if code.Name != d.Code || code.Step == "" || d.Code == "clone_refused" && d.State == "online" { // what fails is the other machine's bind
			continue
		}
		for _, r := range d.Steps {
			if r.Step == string(code.Step) && (r.Result == "ok" || r.Result == "not_reached") {
				c.t.Errorf("the ladder breaks at %s by the catalogue, and that step is %s", r.Step, r.Result)
			}
		}
	}
}

// says fails unless a sentence has every word.
func says(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q: %s", what, w, text)
		}
	}
}
