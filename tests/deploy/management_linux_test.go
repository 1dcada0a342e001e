package deploy

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/tests/crash/rig"
)

// Names of the installation, as the documents have them: the bundle is baseDomain.pem, endpoints log in at domain.
const (
	baseDomain     = "itsm.local"
	domain         = "xmpp." + baseDomain
	managementName = "on-premise." + baseDomain
)

// told is an event as the management server gets it.
type told struct {
	Type string `json:"type"`
	Data struct {
		Endpoint string `json:"endpoint"`
	} `json:"data"`
}

// management is the management server, as far as it takes events.
type management struct {
	mu     sync.Mutex
	events []told
}

// newManagement takes events on a host of the lan until the test ends. Its authority is written into the folder, as management.crt.
func newManagement(t *testing.T, l *lan, folder string) *management {
	t.Helper()
	ca, bundle, err := certs.MakeCA(certs.CAOptions{Names: []string{managementName}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "management.crt"), ca, 0o644))
	pair, err := tls.X509KeyPair(bundle, bundle) // the key comes first, the leaf second
	must(t, err)
	in, err := l.listen("management", managementIP+":443")
	must(t, err)
	m := &management{}
	server := &http.Server{
		Handler: m, ReadHeaderTimeout: rig.Patience, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ErrorLog: log.New(io.Discard, "", 0), // a server that stops may cut a handshake
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(in, "", "") }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-ended); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return m
}

// ServeHTTP takes one event.
func (m *management) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e told
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.URL.Path != "/signalbox/events" || r.Header.Get("Webhook-Signature") == "" {
		http.Error(w, "no signed event", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

// heard counts the events of a type about an endpoint.
func (m *management) heard(kind, endpoint string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Type == kind && e.Data.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// await waits until something is so.
func await(t *testing.T, within time.Duration, what string, so func() bool) {
	t.Helper()
	tick, end := time.NewTicker(100*time.Millisecond), time.NewTimer(within)
	defer tick.Stop()
	defer end.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("%s: not within %v", what, within)
		}
	}
}
