package path

import (
	"io"
	"net"
	"strings"
	"testing"

	"signalbox/internal/agent/ladder"
)

// Whatever a proxy answers, the agent gets a tunnel or a reason that fits a line.
func FuzzProxyAnswer(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\n\r\nearly", "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"a, b\", Digest qop=\"auth\"\r\n\r\n",
		"HTTP/1.1 403 \x1b[2J\r\n\r\n", "HTTP/1.1 999 X\r\nTransfer-Encoding: chunked\r\n\r\n", "220 mail\r\n", "HTTP/1.1 200", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		client, proxy := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = proxy.Read(make([]byte, 1024))
			_, _ = proxy.Write(text) // the agent need not take all of it
			proxy.Close()
		}()
		conn, err := Proxy{address: "p:1", user: "u", password: "hunter2"}.tunnel(t.Context(), client, "x:443")
		if err == nil {
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		} else if f := ladder.Of(err); f == nil || f.Step != ladder.Proxy || len(f.Sentence()) > 1000 || strings.ContainsFunc(f.Sentence(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q gives %v", text, err)
		}
		<-done
	})
}
