package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"signalbox/internal/access/technician"
)

const maxBodyBytes = 64 << 10

// request is what an operation gets.
type request struct {
	*http.Request
	who  technician.Principal // zero where nobody need be signed in
	from netip.Addr
	body []byte
}

// answer is what an operation gives. The zero status is 200, or 204 where there is no body.
type answer struct {
	status int
	body   any
	cookie *http.Cookie
}

// operation answers requests of the API.
type operation func(r *request) (answer, error)

// open serves an operation for everybody.
func (h *Handler) open(f operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.finish(w, func() (answer, error) {
			if p := h.checkGuard(r); p != nil {
				return answer{}, p
			}
			req := &request{Request: r, from: remoteAddr(r)}
			if err := h.begin(w, req, req.from.String(), strangers); err != nil {
				return answer{}, err
			}
			return f(req)
		})
	})
}

// closed serves an operation for those who are signed in.
func (h *Handler) closed(f operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.finish(w, func() (answer, error) {
			if p := h.checkGuard(r); p != nil {
				return answer{}, p
			}
			who, err := h.deps.Technicians.Authenticate(r.Context(), cookieOf(r))
			if err != nil {
				return answer{}, err
			}
			req := &request{Request: r, who: who, from: remoteAddr(r)}
			if err := h.begin(w, req, who.ID, members); err != nil {
				return answer{}, err
			}
			return f(req)
		})
	})
}

// begin checks what is the same for all operations: rate, and the body, which it reads.
func (h *Handler) begin(w http.ResponseWriter, r *request, caller string, rate rate) error {
	if wait := h.rates.take(caller, rate); wait > 0 {
		return tooFast.because("").after(wait)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return unsupported.because("Send 'Content-Type: application/json'.")
	}
	var large *http.MaxBytesError
	var err error
	if r.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes)); errors.As(err, &large) {
		return tooLarge.because("")
	} else if err != nil {
		return badRequest.because("The body ended early.")
	}
	return nil
}

// finish runs an operation and writes what came of it.
func (h *Handler) finish(w http.ResponseWriter, f func() (answer, error)) {
	a, err := f()
	if err != nil {
		p := h.problemOf(err)
		h.metrics.requests.WithLabelValues(strconv.Itoa(p.Status)).Inc()
		writeProblem(w, p)
		return
	}
	if a.cookie != nil {
		http.SetCookie(w, a.cookie)
	}
	switch {
	case a.status == 0 && a.body == nil:
		a.status = http.StatusNoContent
	case a.status == 0:
		a.status = http.StatusOK
	}
	h.metrics.requests.WithLabelValues(strconv.Itoa(a.status)).Inc()
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // whoever asked has gone if it fails
}

// decode reads the body strictly into v.
func (r *request) decode(v any) error {
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		detail := "The body is not one JSON object."
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown && len(name) < 100 {
			detail = "There is no field " + name + "."
		}
		return invalid.because(detail)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid.because("The body is more than one JSON object.")
	}
	return nil
}

// nothing checks that the body is an object without members.
func (r *request) nothing() error { return r.decode(&struct{}{}) }
