package tests

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

func plainResponse(id string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + id + "\x00s3cret-1"))
}

// startWeb runs a server with the endpoint pc-1.
func startWeb(t *testing.T, changes ...func(*config.Config)) *harness.Server {
	t.Helper()
	s := harness.Start(t, changes...)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, http.StatusCreated)
	return s
}

// TestWebSocketMessages has an endpoint at work send what is no message of RFC 7395. Row 21 is the DOCTYPE.
func TestWebSocketMessages(t *testing.T) {
	s := startWeb(t)
	const presence = "<presence xmlns='jabber:client'/>"
	for _, tc := range []struct {
		name, message string
		first         byte
		condition     string
		code          uint16
		reason        string
	}{
		{"second element", presence + presence, opText, "not-well-formed", 1008, "not_well_formed"},
		{"second element of the framing", presence + framingOpen, opText, "not-well-formed", 1008, "not_well_formed"},
		{"half an element", "<message xmlns='jabber:client'>", opText, "not-well-formed", 1008, "not_well_formed"},
		{"white space", " ", opText, "not-well-formed", 1008, "not_well_formed"},
		{"white space behind", presence + "\n", opText, "not-well-formed", 1008, "not_well_formed"},
		{"nothing", "", opText, "not-well-formed", 1008, "not_well_formed"},
		{"not UTF-8", "<message xmlns='jabber:client'>\xc0\xaf</message>", opText, "not-well-formed", 1008, "not_well_formed"},
		{"DOCTYPE", "<!DOCTYPE x [<!ENTITY e 'x'>]><message xmlns='jabber:client'>&e;</message>", opText, "restricted-xml", 1008, "restricted_xml"},
		{"end tag of the stream", "</stream:stream>", opText, "not-well-formed", 1008, "not_well_formed"},
		{"stream header", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:client'/>", opText, "invalid-xml", 1008, "invalid_xml"},
		{"prefix of nobody", "<stream:features/>", opText, "not-well-formed", 1008, "not_well_formed"},
		{"no namespace", "<presence/>", opText, "unsupported-stanza-type", 1000, "unsupported_stanza_type"},
		{"binary", presence, opBinary, "not-well-formed", 1003, "not_well_formed"},
		{"too large", "<message xmlns='jabber:client'>" + strings.Repeat("x", 300<<10) + "</message>", opText, "policy-violation", 1009, "too_big"},
		{"too deep", "<message xmlns='jabber:client'>" + strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100) + "</message>", opText, "policy-violation", 1009, "too_big"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := openRaw(t, s)
			r.login("pc-1")
			r.frame(final|tc.first, tc.message)
			r.wantEnd(tc.condition, tc.code)
			if text := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(text, `"reason":"`+tc.reason+`"`) {
				t.Errorf("presence is %s, want the reason %s", text, tc.reason)
			}
		})
	}
}

// TestWebSocketBeforeLogin: a stranger gets 16 KiB, not a stanza's worth.
func TestWebSocketBeforeLogin(t *testing.T) {
	s := startWeb(t)
	r := openRaw(t, s)
	r.text(framingOpen)
	r.frame(final|opText, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"+strings.Repeat("x", 17<<10)+"</auth>")
	r.wantEnd("policy-violation", 1009)
}

// TestWebSocketFragments is row 29: a message may come in pieces, but not in more frames than it deserves, and control frames have a rate of their own.
func TestWebSocketFragments(t *testing.T) {
	s := startWeb(t)
	ping := "<iq xmlns='jabber:client' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>"
	t.Run("in pieces of a byte, with pings between", func(t *testing.T) {
		r := openRaw(t, s)
		r.login("pc-1")
		for i := range len(ping) {
			first := byte(opContinuation)
			if i == 0 {
				first = opText
			}
			if i == len(ping)-1 {
				first |= final
			}
			r.frame(first, ping[i:i+1])
			if i%10 == 5 {
				r.frame(final|opPing, fmt.Sprint(i))
				if first, payload, err := r.next(); first != final|opPong || payload != fmt.Sprint(i) || err != nil {
					t.Fatalf("frame %#x %q, %v, want a pong", first, payload, err)
				}
			}
		}
		r.until("id='p1'")
	})
	for _, tc := range []struct {
		name  string
		first string // fragment
		then  []byte // again and again
	}{
		{"continuations of one byte", "<message xmlns='jabber:client'>", frame(opContinuation, "x")},
		{"continuations of nothing", "<message xmlns='jabber:client'>", frame(opContinuation, "")},
		{"no end", "<message xmlns='jabber:client'>", frame(opContinuation, strings.Repeat("x", 1000))},
		{"pings within a message", "<message xmlns='jabber:client'>", frame(final|opPing, "")},
		{"pings", "", frame(final|opPing, "x")},
		{"pongs that nobody asked for", "", frame(final|opPong, "x")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := openRaw(t, s)
			r.login("pc-1")
			if tc.first != "" {
				r.frame(opText, tc.first)
			}
			var err error
			for sent := 0; err == nil; sent++ { // until the server has closed the connection
				if _, err = r.conn.Write(tc.then); sent > 1e6 {
					t.Fatal("the server takes whatever comes")
				}
			}
			if text := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(text, `"reason":"too_big"`) {
				t.Errorf("presence is %s", text)
			}
		})
	}
}

// TestWebSocketFrames: what breaks RFC 6455 closes the connection. Row 28 is the compressed frame, which was not agreed on.
func TestWebSocketFrames(t *testing.T) {
	s := startWeb(t)
	const rsv1 = 0x40
	unmasked := []byte{final | opText, 2, '<', 'a'}
	for name, bytes := range map[string][]byte{
		"compressed":              frame(final|rsv1|opText, "\x00\x01"),
		"unmasked":                unmasked,
		"unknown opcode":          frame(final|0x3, "x"),
		"continuation of nothing": frame(final|opContinuation, "x"),
		"a fragmented ping":       frame(opPing, "x"),
		"a long ping":             frame(final|opPing, strings.Repeat("x", 126)),
		"text within a message":   append(frame(opText, "<a"), frame(final|opText, "<a xmlns='u'/>")...),
	} {
		t.Run(name, func(t *testing.T) {
			r := openRaw(t, s, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
			if got := r.resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
				t.Errorf("the extension %q was agreed on", got)
			}
			r.write(string(bytes))
			for {
				first, payload, err := r.next()
				if err != nil {
					return
				}
				if first != final|opClose {
					t.Fatalf("frame %#x %q, want the end", first, payload)
				}
			}
		})
	}
}

// TestWebSocketHandshake has requests that are refused. Row 30 is the foreign origin.
func TestWebSocketHandshake(t *testing.T) {
	s := startWeb(t, func(c *config.Config) {
		c.XMPP.WebSocketOrigins = []string{"https://Console.example", "https://other.example:8443", "https://default.example:443"}
		c.XMPP.WebSocketURL = "wss://public.example/xmpp-websocket"
	})
	for _, tc := range []struct {
		name, change string
		status       int
	}{
		{"no browser", "", 101},
		{"origin of ours", "Origin: https://" + harness.Domain, 101},
		{"listed origin", "Origin: https://console.example", 101},
		{"listed origin with a port", "Origin: https://other.example:8443", 101},
		{"listed origin with the port of its scheme", "Origin: https://default.example", 101},
		{"foreign origin", "Origin: https://evil.example", 403},
		{"listed host, other port", "Origin: https://other.example", 403},
		{"listed host, no TLS", "Origin: http://console.example", 403},
		{"host of ours, no TLS", "Origin: http://" + harness.Domain, 403},
		{"host of ours, other port", "Origin: https://" + harness.Domain + ":8443", 403},
		{"public name, asked for by another", "Origin: https://public.example", 403},
		{"origin that begins like ours", "Origin: https://" + harness.Domain + ".evil.example", 403},
		{"origin with a path", "Origin: https://" + harness.Domain + "/x", 403},
		{"no origin that a page may have", "Origin: null", 403},
		{"two origins", "Origin: https://console.example\r\nOrigin: https://evil.example", 403},
		{"no subprotocol", "Sec-WebSocket-Protocol:", 400},
		{"other subprotocol", "Sec-WebSocket-Protocol: chat", 400},
		{"subprotocol in capitals", "Sec-WebSocket-Protocol: XMPP", 400},
		{"several subprotocols", "Sec-WebSocket-Protocol: chat, xmpp", 101},
		{"no upgrade", "Upgrade:", 426},
		{"other upgrade", "Upgrade: h2c", 426},
		{"old version", "Sec-WebSocket-Version: 8", 400},
		{"no key", "Sec-WebSocket-Key:", 400},
		{"short key", "Sec-WebSocket-Key: eA==", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := dialWeb(t, s)
			if got := r.ask(handshake(tc.change)); got != tc.status {
				t.Fatalf("status %d, want %d", got, tc.status)
			}
			if tc.status == 101 {
				if got := r.resp.Header.Get("Sec-WebSocket-Protocol"); got != "xmpp" {
					t.Errorf("subprotocol %q", got)
				}
				r.text(framingOpen)
				offer := r.until("<stream:features")
				if page := strings.HasPrefix(tc.change, "Origin"); page == strings.Contains(offer, "-PLUS") {
					t.Errorf("a page cannot bind its login to the connection, a program can: %s", offer)
				}
			}
		})
	}
}

// TestWebSocketEnds: how the two ends part.
func TestWebSocketEnds(t *testing.T) {
	s := startWeb(t)
	t.Run("the client closes the WebSocket alone", func(t *testing.T) {
		st := s.ConnectWebSocket(t, "pc")
		st.Login("pc-1", "s3cret-1", "agent")
		if err := st.EndWebSocket(); err != nil {
			t.Error(err)
		}
		if text := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(text, `"reason":"connection_lost"`) {
			t.Errorf("presence is %s", text)
		}
	})
	t.Run("the client closes the stream", func(t *testing.T) {
		st := s.ConnectWebSocket(t, "pc")
		st.Login("pc-1", "s3cret-1", "agent")
		st.Send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
		if a, b := st.Next(), st.Next(); a != "(end)" || b != "(closed)" || st.Code != 1000 {
			t.Errorf("got %s, %s with %d", a, b, st.Code)
		}
	})
	t.Run("the server closes, and the client says nothing", func(t *testing.T) {
		r := openRaw(t, s)
		r.login("pc-1")
		s.Call(t, "POST", "/v1/endpoints/pc-1/disconnect", "", http.StatusOK)
		r.wantEnd("reset", 1000)
	})
	t.Run("the connection ends within a message", func(t *testing.T) {
		r := openRaw(t, s)
		r.login("pc-1")
		r.frame(opText, "<message xmlns='jabber:client'>")
		_ = r.conn.Close()
		if text := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(text, `"reason":"connection_lost"`) {
			t.Errorf("presence is %s", text)
		}
	})
}

// TestWebSocketSlowMessage: a message that was begun has the time of a stanza (row 25).
func TestWebSocketSlowMessage(t *testing.T) {
	t.Parallel()
	s := startWeb(t, func(c *config.Config) { c.XMPP.StanzaTimeout = 5e9 })
	r := openRaw(t, s)
	r.login("pc-1")
	r.frame(opText, "<message xmlns='jabber:client'>")
	r.until("<policy-violation ")
	if text := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(text, `"reason":"stanza_timeout"`) {
		t.Errorf("presence is %s", text)
	}
}
