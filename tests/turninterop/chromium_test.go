package turninterop

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/tests/harness"
)

//go:embed testdata/relay.html
var relayPage []byte

// iceServer is a server as RTCPeerConnection takes it.
type iceServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// outcome is what the page has seen.
type outcome struct {
	Error    string
	Messages int      // that came back
	Locals   []string // of each connection: type of the local candidate that was used, and what it was relayed over
}

const (
	messages    = 200
	messageSize = 16_000
)

// tryChromium has two connections in one page, each with one side of the session and relayed candidates alone, exchange bytes over a data channel.
func tryChromium(t *testing.T, s *stage, over transport) {
	scheme := map[transport]string{udp: "turn:%s?transport=udp", tcp: "turn:%s?transport=tcp", tls: "turns:%s?transport=tcp"}[over]
	url := fmt.Sprintf(scheme, s.addr(over))
	job := map[string]any{
		"servers": []iceServer{{[]string{url}, s.a.Username, s.a.Credential}, {[]string{url}, s.b.Username, s.b.Credential}},
		"size":    messageSize, "count": messages,
	}
	got, said := inPage(t, job, "--ignore-certificate-errors-spki-list="+s.keyHash) // it takes no other certificate that it does not know
	want := outcome{Messages: messages, Locals: []string{"relay " + string(over), "relay " + string(over)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the page saw (-want +got):\n%s\nchromium said:\n%s", diff, said)
	}
}

// inPage opens the page in a browser and returns what it posts.
func inPage(t *testing.T, job any, flags ...string) (got outcome, said []byte) {
	t.Helper()
	posted := make(chan struct{})
	var once sync.Once // a browser may post again what it saw no answer to
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(relayPage) })
	mux.HandleFunc("GET /job", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(job) })
	mux.HandleFunc("GET /wait", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-posted:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /answer", func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() {
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
				got.Error = err.Error()
			}
			close(posted)
		})
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	said = harness.Browse(t, site.URL+"/", flags...)
	select {
	case <-posted:
	default:
		t.Fatalf("the page posted nothing; chromium said:\n%s", said)
	}
	return got, said
}
