package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const pingServer = "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"

// register makes an endpoint with the secret s3cret-1.
func register(t *testing.T, s *harness.Server, id string) {
	t.Helper()
	s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":"s3cret-1"}`, id), 201)
}

// online logs an endpoint in for which no push waits, tells that it is available and waits until the server knows.
func online(t *testing.T, s *harness.Server, id string) *harness.Stream {
	t.Helper()
	st := s.Connect(t, id)
	st.Login(id, "s3cret-1", "agent")
	st.Send("<presence/>" + pingServer)
	st.Want("<iq type='result'", "id='p'")
	return st
}

// TestStanzasBeyondLimits: the sender learns why it is closed, though it still had much to say; nobody else notices.
func TestStanzasBeyondLimits(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-2")
	witness := online(t, s, "pc-2")
	more := strings.Repeat("x", 600<<10)
	var attributes, namespaces strings.Builder
	for i := range 70 {
		fmt.Fprintf(&attributes, " a%d=''", i)
		fmt.Fprintf(&namespaces, " xmlns:n%d='urn:n'", i)
	}
	for i, tc := range []struct{ name, stanza string }{
		{"large", "<message><body>" + strings.Repeat("y", 256<<10) + more},
		{"large attribute", "<message to='" + strings.Repeat("y", 256<<10) + more},
		{"deep", "<message>" + strings.Repeat("<a>", 80) + more},
		{"many attributes", "<message><a" + attributes.String() + "/>" + more},
		{"many namespaces", "<message><a" + namespaces.String() + "/>" + more},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id := fmt.Sprintf("pc-big-%d", i)
			register(t, s, id)
			st := online(t, s, id)
			st.Send(tc.stanza)
			st.Want("<stream:error><policy-violation ")
			if got := st.Next(); got != "(end)" {
				t.Errorf("after the error came %s, want the end of the stream", got)
			}
			if got := st.Next(); got != "(closed)" {
				t.Errorf("after the end came %s", got)
			}
			if p := s.AwaitPresence(t, id, "offline"); !strings.Contains(p, `"reason":"too_big"`) {
				t.Errorf("presence = %s, want reason too_big", p)
			}
			witness.Send(pingServer)
			witness.Want("<iq type='result'", "id='p'")
		})
	}
}

// TestElementsBeyondLimitsBeforeLogin: strangers get less room, and learn as much.
func TestElementsBeyondLimitsBeforeLogin(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	const auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
	more := strings.Repeat("x", 600<<10)
	var attributes strings.Builder
	for i := range 40 {
		fmt.Fprintf(&attributes, " a%d=''", i)
	}
	for name, element := range map[string]string{
		"large":      auth + strings.Repeat("y", 16<<10) + more,
		"deep":       strings.Repeat("<a>", 40) + more,
		"attributes": "<a" + attributes.String() + "/>" + more,
	} {
		t.Run(name, func(t *testing.T) {
			st := s.Connect(t, "stranger")
			st.Open()
			st.Send(element)
			st.Want("<stream:error><policy-violation ")
			if got := st.Next() + st.Next(); got != "(end)(closed)" {
				t.Errorf("after the error came %s", got)
			}
		})
	}
}

// TestEndpointThatDoesNotRead: it is ended, its pushes wait for its next session, and others get theirs meanwhile.
func TestEndpointThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, func(c *config.Config) {
		c.XMPP.WriteTimeout = 5 * time.Second // time enough for the session that reads, on a busy machine
		c.XMPP.QueueBytes = 256 << 10
		c.Push.QueueBytes = 64 << 20
	})
	register(t, s, "pc-1")
	register(t, s, "pc-2")
	witness := online(t, s, "pc-2")
	narrow := &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }), err)
	}}
	deaf := s.ConnectThrough(t, "pc-1", narrow)
	deaf.Login("pc-1", "s3cret-1", "agent")
	deaf.Send("<presence/>" + pingServer)
	deaf.Want("<iq type='result'", "id='p'")

	const pushes = 40
	payload := strings.Repeat("&", 60<<10) // five times as much on the wire
	ids := make([]string, pushes)
	for i := range ids {
		ids[i] = s.Submit(t, `{"to":"pc-1","type":"demo.large","payload":"`+payload+`"}`)
	}
	other := s.Submit(t, `{"to":"pc-2","type":"demo.small"}`)
	witness.Want("id='" + other + "'")
	if p := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(p, `"reason":"slow_reader"`) || !strings.Contains(p, fmt.Sprintf(`"queued_pushes":%d`, pushes)) {
		t.Errorf("presence = %s, want reason slow_reader and %d queued pushes", p, pushes)
	}
	for _, id := range ids {
		s.AwaitPush(t, id, "accepted")
	}

	again := s.Connect(t, "pc-1")
	again.Login("pc-1", "s3cret-1", "agent")
	again.Send("<presence/>")
	for _, id := range ids {
		again.Want("<message ", "id='"+id+"'", "<delay ")
		again.Send(receipt(id))
	}
	for _, id := range ids {
		s.AwaitPush(t, id, "delivered")
	}
}

func receipt(id string) string {
	return "<message to='" + harness.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>"
}

// TestForeignBytes: what is no XMPP is closed without ado, on every port of endpoints.
func TestForeignBytes(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	record := append([]byte{0x16, 3, 1, 2, 0}, bytes.Repeat([]byte{0xa5}, 512)...)
	for _, listener := range []string{"tls", "xmpp"} {
		for name, text := range map[string][]byte{
			"HTTP": []byte("GET / HTTP/1.1\r\nHost: " + harness.Domain + "\r\n\r\n"), "a record that is no hello": record, "SSH": []byte("SSH-2.0-x\r\n"),
			"an alert": {0x15, 3, 3, 0, 2, 2, 40}, "zeros": make([]byte, 64),
		} {
			t.Run(listener+" "+name, func(t *testing.T) {
				c, err := net.Dial("tcp", s.Addr(listener))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if _, err := c.Write(text); err != nil {
					t.Fatal(err)
				}
				wantClosed(t, c)
			})
		}
	}
	t.Run("HTTP inside TLS", func(t *testing.T) {
		st := s.Connect(t, "browser")
		st.Send("GET / HTTP/1.1\r\nHost: " + harness.Domain + "\r\n\r\n")
		if got := st.Next(); got == "(stream)" {
			st.Want("<stream:error>")
			got = st.Next()
			if got != "(end)" {
				t.Errorf("got %s, want the end of the stream", got)
			}
		}
		if got := st.Next(); got != "(closed)" {
			t.Errorf("got %s, want the end of the connection", got)
		}
	})
	register(t, s, "pc-1")
	online(t, s, "pc-1")
}

// wantClosed fails unless the server closes, having said next to nothing.
func wantClosed(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(rawPatience))
	text, err := io.ReadAll(io.LimitReader(c, 4096))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection is still open")
	}
	if len(text) > 64 { // a TLS alert at most
		t.Errorf("the server said %q", text)
	}
}
