package interop

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/tests/harness"
)

// python is Debian's: the package python3-slixmpp installs for it alone.
const python = "/usr/bin/python3"

// seen is a line of what testdata/endpoint.py prints.
type seen struct {
	Event     string          `json:"event"`
	ID        string          `json:"id"`
	JID       string          `json:"jid"`
	TLS       string          `json:"tls"`
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
	Mechanism string          `json:"mechanism"`
	Condition string          `json:"condition"`
	Features  []string        `json:"features"`
	Commands  []string        `json:"commands"`
	Status    string          `json:"status"`
	Notes     []string        `json:"notes"`
	Why       string          `json:"why"`
	Command   string          `json:"command"`
	Handled   int             `json:"handled"`
	Sent      int             `json:"sent"`
}

// peer is a running program of testdata.
type peer struct {
	t     *testing.T
	input io.Writer
	lines chan seen
	past  []seen // all lines that were taken, oldest first
}

// startPeer runs endpoint.py until the test ends. how is direct or starttls, login scram or default.
func startPeer(t *testing.T, s *harness.Server, how, login string) *peer {
	t.Helper()
	addr := s.Addr(map[string]string{"direct": "tls", "starttls": "xmpp"}[how])
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	p := startPython(t, "testdata/endpoint.py", how, host, port, "pc-1@"+harness.Domain+"/slixmpp", s.CAFile, login)
	p.tell("s3cret-1")
	return p
}

// startPython runs a program on slixmpp until the test ends.
func startPython(t *testing.T, args ...string) *peer {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-c", "import slixmpp").Run(); err != nil {
		t.Skipf("LEFT OUT: slixmpp: it is not installed (Debian package python3-slixmpp): %v", err)
	}
	cmd := exec.Command(python, args...)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, input: input, lines: make(chan seen, 1000)}
	go p.read(output) // ends with the program, which the cleanup waits for
	t.Cleanup(func() {
		_ = input.Close() // the program ends when nobody can tell it anything more
		for range p.lines {
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
	})
	return p
}

func (p *peer) read(output io.Reader) {
	defer close(p.lines)
	for in := bufio.NewScanner(output); in.Scan(); {
		var line seen
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			line = seen{Event: "unreadable", Why: in.Text()}
		}
		p.lines <- line
	}
}

func (p *peer) tell(command string) {
	p.t.Helper()
	if _, err := io.WriteString(p.input, command+"\n"); err != nil {
		p.t.Fatalf("tell the endpoint %q: %v", command, err)
	}
}

// await takes lines until one is this event.
func (p *peer) await(event string) seen {
	p.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the program ended before %q; it saw %+v", event, p.past)
			}
			p.past = append(p.past, line)
			if line.Event == event {
				return line
			}
		case <-late:
			p.t.Fatalf("no %q; the program saw %+v", event, p.past)
		}
	}
}

// mistakes are what must not be among the lines.
func (p *peer) mistakes() (bad []seen) {
	for _, line := range p.past {
		if slices.Contains([]string{"unreadable", "error", "stream_error", "sm_failed", "connection_failed"}, line.Event) {
			bad = append(bad, line)
		}
	}
	return bad
}

// TestSlixmpp has an XMPP library that knows nothing of us as endpoint.
func TestSlixmpp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		how, login, via string
		mechanism       string
		refused         []string // mechanisms that were tried before
	}{
		{"direct", "scram", "tls", "SCRAM-SHA-256", nil},
		// By default it binds the channel by tls-unique, which TLS 1.3 does not have, and then says that we cannot bind channels, which is not true and must be
		// refused (RFC 5802 section 6). What is left is PLAIN, inside TLS.
		{"starttls", "default", "starttls", "PLAIN", []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"}},
	} {
		t.Run(tc.how, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t)
			s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
			p := startPeer(t, s, tc.how, tc.login)
			if got := p.await("auth").Mechanism; got != tc.mechanism {
				t.Errorf("logged in by %s, want %s", got, tc.mechanism)
			}
			var refused []string
			for _, line := range p.past {
				if line.Event == "failed_auth" {
					refused = append(refused, line.Mechanism)
				}
			}
			if diff := cmp.Diff(tc.refused, refused); diff != "" {
				t.Errorf("refused mechanisms (-want +got):\n%s", diff)
			}
			if got, want := p.await("online").JID, "pc-1@"+harness.Domain+"/slixmpp"; got != want {
				t.Errorf("bound as %s, want %s", got, want)
			}
			presence := s.AwaitPresence(t, "pc-1", "online")
			for _, want := range []string{`"via":"` + tc.via + `"`, `"resource":"slixmpp"`, `"tls_version":"1.3"`} {
				if !strings.Contains(presence, want) {
					t.Errorf("presence = %s, want %s in it", presence, want)
				}
			}
			p.serves(s)
			if bad := p.mistakes(); bad != nil {
				t.Errorf("endpoint.py saw %+v", bad)
			}
		})
	}
}

// serves is a working day: a push, questions, a lost connection and the session resumed, a push that came meanwhile, a proper end.
func (p *peer) serves(s *harness.Server) {
	p.t.Helper()
	first := s.Submit(p.t, `{"to":"pc-1","type":"demo.first","payload":{"text":"a < b & \"c\" é 😀"}}`)
	push := p.await("push")
	if push.ID != first || push.Type != "demo.first" || string(push.Payload) == "" {
		p.t.Errorf("push = %+v, want %s of type demo.first", push, first)
	}
	var payload struct{ Text string }
	if err := json.Unmarshal(push.Payload, &payload); err != nil || payload.Text != `a < b & "c" é 😀` {
		p.t.Errorf("payload = %s, %v", push.Payload, err)
	}
	s.AwaitPush(p.t, first, "delivered")
	p.tell("ping")
	p.await("pong")
	p.tell("info")
	if got := p.await("info").Features; !slices.Contains(got, "urn:xmpp:ping") || !slices.Contains(got, "http://jabber.org/protocol/disco#info") {
		p.t.Errorf("features = %v, want ping and disco#info among them", got)
	}
	p.tell("drop")
	p.await("disconnected")
	second := s.Submit(p.t, `{"to":"pc-1","type":"demo.second"}`)
	if counts := p.await("resumed"); counts.Handled != counts.Sent || counts.Sent < 3 { // receipt, ping and query at least, all of them answered
		p.t.Errorf("the server has counted %d stanzas of %d", counts.Handled, counts.Sent)
	}
	if got := p.await("push").ID; got != second {
		p.t.Errorf("push after the resumption = %s, want %s", got, second)
	}
	if got := s.AwaitPush(p.t, second, "delivered").States(); slices.Contains(got[1:], "accepted") {
		p.t.Errorf("history of the second push = %v, want that it was sent once", got)
	}
	p.tell("quit")
	p.await("end")
	if presence := s.AwaitPresence(p.t, "pc-1", "offline"); !strings.Contains(presence, `"reason":"closed_by_peer"`) {
		p.t.Errorf("presence = %s, want reason closed_by_peer", presence)
	}
}
