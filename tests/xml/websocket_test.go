package xml

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

//go:embed testdata/websocket.html
var socketPage []byte

// seen is what the page saw: the name of each message, the code of the close frame, and what went wrong.
type seen struct {
	Seen  []string
	Code  int
	Error string
}

// address tells the page the server. It is set once the server runs, which is told of the site first.
type address struct {
	atomic.Pointer[map[string]string]
}

// socketSite serves the page. What it posts first goes to answers.
func socketSite(t *testing.T, where *address) (site *httptest.Server, answers chan seen) {
	t.Helper()
	answers, posted := make(chan seen, 1), make(chan struct{})
	var once sync.Once // a browser may post again what it saw no answer to
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(socketPage) })
	mux.HandleFunc("GET /where", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(where.Load()) })
	mux.HandleFunc("GET /wait", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-posted:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /answers", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var a seen
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		if err != nil {
			a.Error = fmt.Sprintf("%v: %s", err, body)
		}
		once.Do(func() {
			answers <- a
			close(posted)
		})
	})
	site = httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return site, answers
}

// TestBrowserSpeaksXMPP: a page finds the WebSocket by host-meta, logs in, and gets its ping answered; a page of another origin does not get that far.
func TestBrowserSpeaksXMPP(t *testing.T) {
	if _, err := exec.LookPath(harness.Browser); err != nil {
		t.Skipf("LEFT OUT: a browser on a WebSocket: chromium is not installed (Debian package chromium): %v", err)
	}
	where := new(address)
	site, answers := socketSite(t, where)
	s := harness.Start(t, func(c *config.Config) { c.XMPP.WebSocketOrigins = []string{site.URL} })
	s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":"pc-a","secret":%q}`, secret), 201)
	_, port, err := net.SplitHostPort(s.Addr("tls"))
	if err != nil {
		t.Fatal(err)
	}
	where.Store(&map[string]string{
		"base": "https://" + net.JoinHostPort(harness.Domain, port), "domain": harness.Domain,
		"plain": base64.StdEncoding.EncodeToString([]byte("\x00pc-a\x00" + secret)),
	})
	flags := []string{"--ignore-certificate-errors", "--host-resolver-rules=MAP " + harness.Domain + " 127.0.0.1"}

	said := harness.Browse(t, site.URL+"/", flags...)
	const client, streams, framing, sasl = "{jabber:client}", "{http://etherx.jabber.org/streams}", "{urn:ietf:params:xml:ns:xmpp-framing}", "{urn:ietf:params:xml:ns:xmpp-sasl}"
	want := seen{Code: 1000, Seen: []string{
		framing + "open", streams + "features", sasl + "success", framing + "open", streams + "features", client + "iq bind", client + "iq ping", framing + "close",
	}}
	if diff := cmp.Diff(want, take(t, answers, said)); diff != "" {
		t.Errorf("an allowed page saw (-want +got):\n%s", diff)
	}

	other, answers := socketSite(t, where)
	said = harness.Browse(t, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/", flags...)
	if diff := cmp.Diff(seen{Code: 1006}, take(t, answers, said), cmp.Transformer("empty", func(list []string) int { return len(list) })); diff != "" {
		t.Errorf("a foreign page saw (-want +got):\n%s", diff)
	}
}

func take(t *testing.T, answers chan seen, said []byte) seen {
	t.Helper()
	select {
	case a := <-answers:
		return a
	default:
		t.Fatalf("the page posted nothing; chromium said:\n%s", said)
		return seen{}
	}
}
