// Package console is the technicians' console: its pages, the API behind them, presence as it changes, and the technician's side of the signalling of remote sessions.
package console

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/internal/access/technician"
	"signalbox/internal/diagnosis"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/link"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

// Paths of the console on the shared port.
const (
	Path       = "/console/"
	apiPath    = Path + "api/"
	livePath   = apiPath + "live"
	SignalPath = remote.SignalPath // of the technician's WebSocket
)

// Sessions is the broker of remote sessions, remote.Service. All methods may be called concurrently.
type Sessions interface {
	Open(ctx context.Context, domain string, spec remote.Spec, by remote.Caller) (remote.Opened, error)
	Session(ctx context.Context, domain string, id remote.ID) (remote.Session, error)
	List(ctx context.Context, q remote.Query) ([]remote.Session, error)
	End(ctx context.Context, domain string, id remote.ID, reason string, by remote.Caller) (remote.Session, error)
	Renew(ctx context.Context, domain string, id remote.ID, by remote.Caller) (remote.Opened, error)
}

// Seats lets technicians take their side of sessions. It may be called concurrently.
type Seats interface {
	// Attach takes a side. send is called with what the technician is to be told, in order; it does not block, and is false when no more can be taken. closed is called once,
	// when the connection has no session any more, with the name of the reason.
	Attach(ctx context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(reason string)) (Seat, error)
	// Refused says that somebody without a seat sent a message that was refused, which ended the connection. It does not block.
	Refused(from netip.Addr, code signalling.Code)
}

// Seat is a technician's side of a session while it is attached.
type Seat interface {
	// Take takes what the technician says.
	Take(ctx context.Context, m signalling.Message) error
	// Refused says that a message was refused before it could be taken, which ended the connection. It does not block.
	Refused(code signalling.Code)
	// Detach says that the connection has ended.
	Detach()
}

// Why says why an endpoint is not online, and what happened to it. It may be called concurrently.
type Why interface {
	Endpoint(ctx context.Context, id string) (diagnosis.Diagnosis, error)
	Timeline(ctx context.Context, id, from string, limit int) (diagnosis.Page, error)
}

// Deps are the parts behind the console. All must be there.
type Deps struct {
	Domain      string
	Version     string
	Technicians *technician.Service
	Endpoints   *endpoint.Directory
	Registry    *endpoint.Registry
	Events      *events.Hub
	Why         Why
	Diagnosis   func(diagnosis.Diagnosis) any // as the API shows it
	Sessions    Sessions
	Seats       Seats
	Base        func() string // where technicians find the console: "https://HOST[:PORT]"
	Files       fs.FS         // index.html and assets; Pages outside tests
}

// Handler serves the console. It may be used concurrently; Run must run for what changes to be told.
type Handler struct {
	deps    Deps
	log     *zap.Logger
	metrics metrics
	mux     *http.ServeMux
	sockets *places
	rates   *rates
	live    *hub
}

// New returns a handler that has started nothing.
func New(deps Deps, log *zap.Logger, reg prometheus.Registerer) (*Handler, error) {
	pages, err := newPages(deps.Files)
	if err != nil {
		return nil, fmt.Errorf("read the console's pages: %w", err)
	}
	h := &Handler{deps: deps, log: log.Named("console"), metrics: newMetrics(reg), mux: http.NewServeMux(), sockets: newPlaces(), rates: newRates()}
	h.live = newHub(h)
	h.routes(pages)
	return h, nil
}

// routes says who answers what.
func (h *Handler) routes(p *pages) {
	for _, pattern := range []string{"/{$}", "/console"} {
		h.mux.Handle(pattern, read(http.RedirectHandler(Path, http.StatusFound)))
	}
	h.mux.Handle(Path+"{$}", read(p.index))
	h.mux.Handle(Path+"assets/", read(p))
	h.mux.HandleFunc("GET "+SignalPath, h.signal)
	h.mux.HandleFunc("GET "+livePath, h.serveLive)
	for pattern, f := range map[string]operation{
		"POST signin": h.signIn, "POST signin/link": h.signInByLink,
	} {
		h.mux.Handle(at(pattern), h.open(f))
	}
	for pattern, f := range map[string]operation{
		"GET me": h.me, "POST signout": h.signOut, "POST password": h.changePassword,
		"GET endpoints": h.listEndpoints, "GET endpoints/{id}": h.getEndpoint, "GET endpoints/{id}/timeline": h.timeline, "GET endpoints/{id}/diagnosis": h.diagnosis,
		"POST endpoints/{id}/probe": h.probe,
		"GET sessions":              h.listSessions, "POST sessions": h.openSession, "GET sessions/{id}": h.getSession, "DELETE sessions/{id}": h.endSession,
		"POST sessions/{id}/credentials": h.renewSession,
	} {
		h.mux.Handle(at(pattern), h.closed(f))
	}
	h.mux.HandleFunc(apiPath, func(w http.ResponseWriter, _ *http.Request) { writeProblem(w, notFound.because("")) })
}

// read has a path answer requests that only read; for others it is not there.
func read(then http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.NotFound(w, r)
			return
		}
		then.ServeHTTP(w, r)
	})
}

// at puts the path of the API in front of a pattern's own.
func at(pattern string) string {
	for i := range pattern {
		if pattern[i] == ' ' {
			return pattern[:i+1] + apiPath + pattern[i+1:]
		}
	}
	return apiPath + pattern
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	h.mux.ServeHTTP(w, r)
}

// Run tells open pages what changes until ctx is done.
func (h *Handler) Run(ctx context.Context) error { return h.live.run(ctx) }

// Watcher returns what the registry of endpoints has to tell of their sessions.
func (h *Handler) Watcher() endpoint.Watcher { return h.live }

// remoteAddr is where a request comes from: from the PROXY header where its sender is trusted.
func remoteAddr(r *http.Request) netip.Addr {
	if info, ok := link.FromContext(r.Context()); ok {
		return info.Remote.Addr().Unmap()
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}
