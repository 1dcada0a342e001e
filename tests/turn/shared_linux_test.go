package turn

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox/tests/crash/rig"
	"signalbox/tests/turn/rawturn"
)

// visitor speaks one protocol on the shared port and returns what was wrong.
type visitor struct {
	name string
	alpn []string
	talk func(context.Context, *tls.Conn) error
}

const streamHeader = "<?xml version='1.0'?><stream:stream to='" + rig.Domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

// visitors are all protocols of the shared port, each with its name in the handshake and, where clients do without, without.
func visitors(account rawturn.Account) []visitor {
	turn := func(ctx context.Context, c *tls.Conn) error { return allocateOn(c, account) }
	return []visitor{
		{"XMPP", []string{"xmpp-client"}, talkXMPP},
		{"XMPP without ALPN", nil, talkXMPP},
		{"TURN", []string{"stun.turn"}, turn},
		{"TURN without ALPN", nil, turn},
		{"HTTP", []string{"http/1.1"}, talkHTTP},
		{"HTTP without ALPN", nil, talkHTTP},
		{"console", []string{"http/1.1"}, talkConsole},
		{"console without ALPN", nil, talkConsole},
		{"WebSocket", []string{"http/1.1"}, talkWebSocket},
		{"WebSocket without ALPN", nil, talkWebSocket},
	}
}

func talkXMPP(_ context.Context, c *tls.Conn) error {
	return hears(c, streamHeader, "</stream:features>")
}

func talkHTTP(_ context.Context, c *tls.Conn) error {
	return fetches(c, "/.well-known/host-meta.json", "xmpp-websocket")
}

func talkConsole(_ context.Context, c *tls.Conn) error {
	return fetches(c, "/console/", "<title>Signalbox</title>")
}

// fetches gets a page, whose text must contain want.
func fetches(c *tls.Conn, path, want string) error {
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+rig.Domain+"\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
		return fmt.Errorf("%s, %v: %s", resp.Status, err, body)
	}
	return nil
}

func talkWebSocket(ctx context.Context, c *tls.Conn) error {
	transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
	ws, _, err := websocket.Dial(ctx, "wss://"+rig.Domain+"/xmpp-websocket", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"xmpp"}})
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	open := "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + rig.Domain + "' version='1.0'/>"
	if err := ws.Write(ctx, websocket.MessageText, []byte(open)); err != nil {
		return err
	}
	for _, want := range []string{"<open", "features"} {
		_, text, err := ws.Read(ctx)
		if err != nil || !strings.Contains(string(text), want) {
			return fmt.Errorf("got %q, %v, want %s", text, err, want)
		}
	}
	return nil
}

func hears(c net.Conn, say, want string) error {
	if _, err := io.WriteString(c, say); err != nil {
		return err
	}
	var heard strings.Builder
	for b := make([]byte, 4096); !strings.Contains(heard.String(), want); {
		n, err := c.Read(b)
		heard.Write(b[:n])
		if err != nil {
			return fmt.Errorf("heard %q: %w", heard.String(), err)
		}
	}
	return nil
}

// allocateOn makes an allocation on a connection, which is told its client's true address, and ends it.
func allocateOn(c *tls.Conn, account rawturn.Account) error {
	client := rawturn.Over(c)
	if _, err := client.Allocate(account); err != nil {
		return err
	}
	m, err := client.Do(rawturn.Refresh, rawturn.Uint32(rawturn.Lifetime, 0))
	if err != nil || !m.Success() {
		return fmt.Errorf("end it: %s", rawturn.Word(m, err))
	}
	return nil
}

// TestSharedPort: XMPP, TURN, HTTP, the console and WebSockets share one port; 200 connections in random order, many at the same time, each reach their protocol.
func TestSharedPort(t *testing.T) {
	s := newStand(t, settings{})
	const connections, abreast = 200, 16
	all := visitors(s.open(t).a)
	order := make([]visitor, 0, connections)
	for i := range connections {
		order = append(order, all[i%len(all)])
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	queue := make(chan visitor)
	var crew sync.WaitGroup
	for range abreast {
		crew.Go(func() {
			for v := range queue {
				if err := s.visit(t.Context(), v); err != nil {
					t.Errorf("%s: %v", v.name, err)
				}
			}
		})
	}
	for _, v := range order {
		queue <- v
	}
	close(queue)
	crew.Wait()
	s.probe().alive()
}

func (s *stand) visit(ctx context.Context, v visitor) error {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: source().AsSlice()}}
	cfg := s.site.ClientTLS()
	cfg.NextProtos = v.alpn
	c, err := (&tls.Dialer{NetDialer: d, Config: cfg}).DialContext(ctx, "tcp", s.site.TLS)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return v.talk(ctx, c.(*tls.Conn))
}
