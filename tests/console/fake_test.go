package console

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// policy is what the console serves its pages under.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; " +
	"form-action 'none'; base-uri 'none'; require-trusted-types-for 'script'"

const static = "../../internal/console/static"

// object is a JSON object of the fake's protocols.
type object = map[string]any

// fake is the console's server and one endpoint behind it, as the pages see them.
type fake struct {
	site    *httptest.Server
	root    string // where the endpoint's files lie
	plan    func(*session)
	early   string   // if not empty: sessions end by this reason before anybody attaches
	cookie  string   // of who is signed in
	servers []object // of TURN, for the technician

	mu       sync.Mutex
	sessions map[string]*session
	links    map[string]bool    // tokens of sign-in links that were not used
	tickets  map[string]*ticket // of relay channels
	answerer *websocket.Conn    // the page that plays the endpoint's side of WebRTC
	live     *websocket.Conn
	killed   []float64 // numbers of processes
	cut      int       // the next channel of files is lost after so many bytes; 0: not
	resumed  []float64 // places from which transfers began that had a place
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{root: t.TempDir(), plan: accepted, cookie: secret(), sessions: map[string]*session{}, links: map[string]bool{"link-1": true}, tickets: map[string]*ticket{}}
	if err := os.WriteFile(filepath.Join(f.root, "notes.txt"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(f.root, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/console/", http.StripPrefix("/console/", pages()))
	mux.HandleFunc("/console/api/", f.api)
	mux.HandleFunc("/console/api/live", f.serveLive)
	mux.HandleFunc("/console/signal", f.serveSignal)
	mux.HandleFunc("/relay/{ticket}", f.serveRelay)
	mux.HandleFunc("/fake/answerer", f.serveAnswerer)
	mux.HandleFunc("/fake/channel/{session}/{name}", f.serveChannel)
	mux.Handle("/fake/page/", http.StripPrefix("/fake/page/", http.FileServer(http.Dir("testdata"))))
	f.site = httptest.NewTLSServer(mux)
	t.Cleanup(f.site.Close)
	t.Cleanup(f.site.CloseClientConnections)
	return f
}

func pages() http.Handler {
	files := http.FileServer(http.Dir(static))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}

// url is the console's, with a fragment.
func (f *fake) url(fragment string) string { return f.site.URL + "/console/" + fragment }

func (f *fake) socketURL(path string) string {
	return "wss" + strings.TrimPrefix(f.site.URL, "https") + path
}

// session returns the one session that there is.
func (f *fake) session(t *testing.T) *session {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		return s
	}
	t.Fatal("there is no session")
	return nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

func problem(w http.ResponseWriter, status int, code, detail string) {
	answer(w, status, object{"type": "/problems/" + code, "title": code, "status": status, "code": code, "detail": detail})
}

func at(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339) }

// secret is a token that nobody has seen.
func secret() string { return rand.Text() }
