package tigase

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/telemetry"
)

// failure is an answer that is an error: a status and a sentence.
type failure struct {
	status int
	text   string
	retry  time.Duration // after which trying again makes sense; 0: it does not say
}

// Error returns the sentence.
func (f *failure) Error() string { return f.text }

func badRequest(text string) *failure { return &failure{status: http.StatusBadRequest, text: text} }

func notFound(text string) *failure { return &failure{status: http.StatusNotFound, text: text} }

// How long a caller should wait before it tries again.
const (
	retryBusy  = time.Second
	retryQueue = 30 * time.Second
	retrySpace = time.Minute
)

// failures say what an error of the domain is to a caller.
var failures = []struct {
	err error
	is  failure
}{
	{endpoint.ErrUnknown, failure{http.StatusNotFound, "There is no such user.", 0}},
	{endpoint.ErrExists, failure{http.StatusConflict, "The user exists already.", 0}},
	{endpoint.ErrDisabled, failure{http.StatusConflict, "The user is disabled.", 0}},
	{endpoint.ErrID, failure{http.StatusBadRequest, "The name of a user has 1 to 256 bytes of a-z, 0-9 and . _ - + ~", 0}},
	{endpoint.ErrSecret, failure{http.StatusBadRequest, "A password has 6 to 1024 bytes of printable ASCII without spaces.", 0}},
	{endpoint.ErrDescription, failure{http.StatusBadRequest, "An email has at most 128 bytes.", 0}},
	{push.ErrQueueFull, failure{http.StatusTooManyRequests, "Too much waits for this user already.", retryQueue}},
	{push.ErrKeyReused, failure{http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request.", 0}},
	{push.ErrKeyBusy, failure{http.StatusConflict, "The first request with this Idempotency-Key still runs.", retryBusy}},
	{push.ErrBusy, failure{http.StatusServiceUnavailable, "The server has too much to do; nothing was done.", retryBusy}},
	{push.ErrStopped, failure{http.StatusServiceUnavailable, "The server is stopping; nothing was done.", retryBusy}},
	{push.ErrNoSpace, failure{http.StatusInsufficientStorage, "No space is left on the disk; nothing was done.", retrySpace}},
}

// failureOf returns the answer for an error. What is not in the table is our mistake: it is logged here and told to nobody.
func (h *Handler) failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	for i := range failures {
		if errors.Is(err, failures[i].err) {
			return &failures[i].is
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &failure{http.StatusServiceUnavailable, "The request was given up before it was done.", retryBusy}
	}
	h.log.Error("request failed", telemetry.Cause(err))
	return &failure{status: http.StatusInternalServerError, text: "The server made a mistake; its log has the reason."}
}

// fail answers with an error: the sentence alone, as callers show it.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	f := h.failureOf(err)
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.retry.Seconds())))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(f.status)
	_, _ = w.Write([]byte(f.text + "\n")) // a failed write means that the caller has gone
}
