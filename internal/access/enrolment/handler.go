package enrolment

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/internal/endpoint"
	"signalbox/internal/identity"
	"signalbox/internal/link"
	"signalbox/internal/telemetry"
)

// Bounds of what strangers may ask for.
const (
	maxBodyBytes = 4 << 10
	maxAtOnce    = 32 // requests that wait for the store
	retryBusy    = 2 * time.Second
)

// Handler answers POST /enrol on the port where strangers are. It is an http.Handler, safe for concurrent use.
type Handler struct {
	service   *Service
	addresses func() []string
	limit     *limiter
	working   chan struct{} // one element for each request that waits for the store
	answered  *prometheus.CounterVec
}

// NewHandler returns a handler that tells endpoints these addresses of the server, host:port.
func NewHandler(s *Service, addresses func() []string, reg prometheus.Registerer) *Handler {
	h := &Handler{
		service: s, addresses: addresses, limit: newLimiter(s.deps.Now), working: make(chan struct{}, maxAtOnce),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_enrolment_requests_total", Help: "Requests of endpoints to enrol, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, p := range problems() {
		h.answered.WithLabelValues(p.code)
	}
	h.answered.WithLabelValues(outcomeEnrolled)
	reg.MustRegister(h.answered)
	return h
}

const outcomeEnrolled = "enrolled"

// problem is one way in which a request fails.
type problem struct {
	code   string
	status int
	detail string // what to do
}

var (
	notInsideTLS = problem{"not_inside_tls", http.StatusForbidden, "Enrol over HTTPS."}
	wrongType    = problem{"unsupported_media_type", http.StatusUnsupportedMediaType, "Send 'Content-Type: application/json' and no Content-Encoding."}
	tooLarge     = problem{"payload_too_large", http.StatusRequestEntityTooLarge, "Send at most 4096 bytes."}
	malformed    = problem{"malformed_request", http.StatusBadRequest, `Send {"token":"...","id":"...","public_key":"sbk1:..."}, each once and nothing else; id may be absent.`}
	tooMany      = problem{"too_many_refusals", http.StatusTooManyRequests, "Too many requests from this address were refused: try again after the time in Retry-After."}
	busy         = problem{"busy", http.StatusServiceUnavailable, "Nothing was done; try again after the time in Retry-After."}
	failed       = problem{"internal_error", http.StatusInternalServerError, "The server's log has the reason; try again later with the same token and key."}
)

// refused are the problems of refusals, by their reasons.
var refused = map[string]problem{
	"unknown_token":     {"unknown_token", http.StatusForbidden, "The token is unknown or revoked: have signalbox enrolment create make another one."},
	"token_expired":     {"token_expired", http.StatusForbidden, "The token has expired: have signalbox enrolment create make another one."},
	"token_used":        {"token_used", http.StatusForbidden, "The token has been used, by this endpoint with another key or by another one: have signalbox enrolment create make another one, and look who used it."},
	"other_id":          {"other_id", http.StatusForbidden, "The token is for other endpoint ids: leave the id out, or have a token made for it."},
	"endpoint_exists":   {"endpoint_exists", http.StatusConflict, "An endpoint of this id exists: choose another id, or have a token made for this one (signalbox enrolment create --endpoint ID)."},
	"endpoint_disabled": {"endpoint_disabled", http.StatusConflict, "The endpoint is disabled: enable it first (signalbox endpoint enable ID)."},
	"invalid_id":        {"invalid_id", http.StatusUnprocessableEntity, "An id has 1 to 256 of a-z, 0-9 and . _ - + ~."},
}

// problems returns all, for the metric.
func problems() []problem {
	all := []problem{notInsideTLS, wrongType, tooLarge, malformed, tooMany, busy, failed}
	for _, p := range refused {
		all = append(all, p)
	}
	return all
}

// ServeHTTP enrols an endpoint. It needs to know the connection: link.NewContext.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	info, ok := link.FromContext(r.Context())
	if !ok || !info.TLS.Secure() {
		h.refuse(w, notInsideTLS, 0)
		return
	}
	from := info.Remote.Addr()
	if wait := h.limit.wait(from); wait > 0 {
		h.refuse(w, tooMany, wait)
		return
	}
	token, asked, p := read(w, r)
	if p != nil {
		h.limit.refused(from)
		h.refuse(w, *p, 0)
		return
	}
	select {
	case h.working <- struct{}{}:
		defer func() { <-h.working }()
	default:
		h.refuse(w, busy, retryBusy)
		return
	}
	h.enrol(w, r, info, token, asked)
}

func (h *Handler) enrol(w http.ResponseWriter, r *http.Request, info link.Info, token identity.EnrolmentToken, asked identity.EnrolRequest) {
	out, err := h.service.Enrol(r.Context(), token, asked.ID, asked.PublicKey, info.Remote.Addr().Unmap().String())
	if err != nil {
		p, known := refused[reasonOf(err)]
		if !known {
			p = failed
			h.service.deps.Log.Error("endpoint could not be enrolled", telemetry.Remote(info.Remote), telemetry.Cause(err))
		} else {
			h.limit.refused(info.Remote.Addr())
		}
		h.refuse(w, p, 0)
		return
	}
	h.answered.WithLabelValues(outcomeEnrolled).Inc()
	answer := identity.Enrolled{ID: out.Endpoint.ID, Domain: out.Endpoint.Domain, Addresses: h.addresses()}
	answer.Sign(h.service.deps.Key, asked.PublicKey, info.TLS.Exporter)
	write(w, "application/json", http.StatusOK, answer)
}

// read reads a request, or says what is wrong with it.
func read(w http.ResponseWriter, r *http.Request) (identity.EnrolmentToken, identity.EnrolRequest, *problem) {
	var none identity.EnrolmentToken
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return none, identity.EnrolRequest{}, &wrongType
	}
	fields, err := flat(json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)), "token", "id", "public_key")
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return none, identity.EnrolRequest{}, &tooLarge
	case err != nil:
		return none, identity.EnrolRequest{}, &malformed
	}
	key, err := identity.ParsePublic(fields["public_key"])
	if err != nil || len(fields["id"]) > endpoint.MaxIDBytes {
		return none, identity.EnrolRequest{}, &malformed
	}
	token, err := identity.ParseEnrolmentToken(fields["token"])
	if err != nil {
		return none, identity.EnrolRequest{}, &malformed
	}
	return token, identity.EnrolRequest{ID: fields["id"], PublicKey: key}, nil
}

func (h *Handler) refuse(w http.ResponseWriter, p problem, retry time.Duration) {
	h.answered.WithLabelValues(p.code).Inc()
	if retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((retry+time.Second-1)/time.Second)))
	}
	write(w, "application/problem+json", p.status, map[string]any{
		"type": "about:blank", "title": http.StatusText(p.status), "status": p.status, "code": p.code, "detail": p.detail,
	})
}

func write(w http.ResponseWriter, kind string, status int, body any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A failed write means that the endpoint has gone; it asks again.
	_ = json.NewEncoder(w).Encode(body)
}
