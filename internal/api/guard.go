package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// serve is the outermost layer: everything that holds for every request, in the order in which it is checked.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !s.working.TryAcquire(1) {
		panic(http.ErrAbortHandler) // its connection is closed already, see finish
	}
	defer s.working.Release(1)
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	route := s.template(r)
	defer func() { s.record(rec, r, route, time.Since(start)) }()
	defer func() { s.recovered(rec, r, route, recover()) }()
	secure(rec.Header())
	if p := s.refuse(r, route); p != nil {
		writeProblem(rec, p)
		return
	}
	if !rec.acquire(s.slotsFor(route)) {
		writeProblem(rec, busy.problem("").retryAfter(retryBusy))
		return
	}
	defer rec.release()
	if s.isCompat(r) {
		s.deps.Compat.Serve(rec, r, func(tokenID string) { rec.token = tokenID })
		return
	}
	s.mux.ServeHTTP(rec, r)
}

// record counts and logs a request, also one whose handler panicked. The route stands for the path: what a caller writes into a URL is not logged.
func (s *Server) record(rec *recorder, r *http.Request, route string, took time.Duration) {
	s.metrics.count(route, r.Method, rec.code())
	if !rec.stream { // which lasts as long as its reader likes
		s.metrics.took(route, took)
	}
	if log := s.log.Check(zap.DebugLevel, "request"); log != nil {
		remote, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero value if there is none
		log.Write(telemetry.Method(knownMethod(r.Method)), telemetry.Path(route), telemetry.Status(rec.code()), telemetry.Took(took),
			telemetry.Remote(remote), telemetry.Token(rec.token))
	}
}

// Paths that answer when the server has more to do than it takes. live answers to anyone at any load: it says only that the process runs.
const (
	live    = "/livez"
	ready   = "/readyz"
	metrics = "/metrics"
)

// template returns the path of the route that takes the request, as it was registered; empty if none does.
func (s *Server) template(r *http.Request) string {
	if s.isCompat(r) {
		return s.deps.Compat.Route(r)
	}
	_, pattern := s.mux.Handler(r)
	if _, p, ok := strings.Cut(pattern, " "); ok {
		return p
	}
	return ""
}

// compatPrefix is the path below which another server's API is served, where the operator wants it.
const compatPrefix = "/rest"

func (s *Server) isCompat(r *http.Request) bool {
	return s.deps.Compat != nil && (r.URL.Path == compatPrefix || strings.HasPrefix(r.URL.Path, compatPrefix+"/"))
}

// refuse says why a request is not let in; nil if it is.
func (s *Server) refuse(r *http.Request, route string) *Problem {
	switch {
	case route != live && !s.fromAllowed(r.RemoteAddr):
		return sourceNotAllowed.problem("")
	case s.isCompat(r): // its rules are those of the other server, which takes keys in URLs and slashes at the end
		return nil
	case queryHasToken(r):
		return tokenInQuery.problem("")
	case r.URL.Path != "*" && path.Clean("/"+r.URL.Path) != r.URL.Path:
		return badRequest.problem("The path has empty or dot segments, or a slash at its end.")
	case route == "":
		return s.unrouted(r)
	}
	return nil
}

func (s *Server) fromAllowed(remote string) bool {
	if len(s.allowed) == 0 {
		return true
	}
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap().WithZone("")
	for _, p := range s.allowed {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// unrouted tells an unknown path from a known one with another method.
func (s *Server) unrouted(r *http.Request) *Problem {
	methods := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete}
	if r.Method == http.MethodOptions && r.URL.Path == "*" { // RFC 9110 section 9.3.7: the server as a whole
		return methodNotAllowed.problem("").with("Allow", strings.Join(methods, ", "))
	}
	var allow []string
	for _, m := range methods {
		other := *r
		other.Method = m
		if s.template(&other) != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		return notFound.problem("")
	}
	return methodNotAllowed.problem("").with("Allow", strings.Join(allow, ", "))
}

// slotsFor returns what bounds the requests for a route at the same time; nil: nothing does.
func (s *Server) slotsFor(route string) chan struct{} {
	switch route {
	case live:
		return nil
	case ready, metrics:
		return s.probes
	}
	return s.slots
}

// recovered ends a request whose handler panicked. The caller learns nothing of it; if the answer had begun, the connection is cut.
func (s *Server) recovered(rec *recorder, r *http.Request, route string, v any) {
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	s.log.Error("handler panicked", telemetry.Method(knownMethod(r.Method)), telemetry.Path(route),
		telemetry.Detail(fmt.Sprintf("%v\n%s", v, debug.Stack())))
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeProblem(rec, internalError.problem(""))
}

// secure sets what every answer carries. Answers hold states and sometimes secrets: nobody on the way keeps them.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// recorder remembers what the log says of a request, and which slot it has.
type recorder struct {
	http.ResponseWriter
	status int           // 0: nothing was written yet
	token  string        // id of the caller's token; empty: none was needed, or it was refused
	stream bool          // the answer is one that has no end of its own
	slots  chan struct{} // where the request has a slot; nil: nowhere
}

// acquire takes a slot, if one is free. A nil channel bounds nothing.
func (r *recorder) acquire(slots chan struct{}) bool {
	if slots == nil {
		return true
	}
	select {
	case slots <- struct{}{}:
		r.slots = slots
		return true
	default:
		return false
	}
}

// release gives the slot back; a second call does nothing.
func (r *recorder) release() {
	if r.slots != nil {
		<-r.slots
		r.slots = nil
	}
}

// WriteHeader keeps the first status that is final.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write is an answer 200 if no status was written before.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
