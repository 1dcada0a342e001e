package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/remote"
	"signalbox/internal/telemetry"
)

// kind is one sort of refusal.
type kind struct {
	code   string
	status int
	title  string
}

var (
	badRequest      = kind{"bad_request", http.StatusBadRequest, "The request is not understood"}
	notSignedIn     = kind{"not_signed_in", http.StatusUnauthorized, "You are not signed in"}
	badCredentials  = kind{"bad_credentials", http.StatusUnauthorized, "Wrong name or password"}
	linkInvalid     = kind{"link_invalid", http.StatusUnauthorized, "The link was used already, has expired or is not one of this server"}
	otherSignedIn   = kind{"signed_in_as_another", http.StatusConflict, "Somebody else is signed in"}
	forbiddenOrigin = kind{"forbidden_origin", http.StatusForbidden, "The request does not come from the console's own pages"}
	notAllowed      = kind{"not_allowed", http.StatusForbidden, "Your roles do not allow this"}
	unknownEndpoint = kind{"unknown_endpoint", http.StatusNotFound, "No such endpoint"}
	unknownSession  = kind{"unknown_session", http.StatusNotFound, "No such session"}
	notFound        = kind{"not_found", http.StatusNotFound, "There is nothing here"}
	offline         = kind{"endpoint_offline", http.StatusConflict, "The endpoint is not online"}
	disabled        = kind{"endpoint_disabled", http.StatusConflict, "The endpoint is disabled"}
	sessionLimit    = kind{"session_limit", http.StatusConflict, "Too many sessions are open"}
	sessionEnded    = kind{"session_ended", http.StatusConflict, "The session has ended"}
	noWay           = kind{"no_turn", http.StatusConflict, "The session may go through TURN alone, and this server has no TURN server"}
	tooLarge        = kind{"too_large", http.StatusRequestEntityTooLarge, "The request is too large"}
	unsupported     = kind{"unsupported_media_type", http.StatusUnsupportedMediaType, "The request is not labelled as JSON"}
	invalid         = kind{"validation_failed", http.StatusUnprocessableEntity, "Something in the request is wrong"}
	tooMany         = kind{"too_many_attempts", http.StatusTooManyRequests, "Too many attempts"}
	tooFast         = kind{"too_many_requests", http.StatusTooManyRequests, "Too many requests"}
	busy            = kind{"busy", http.StatusServiceUnavailable, "The server has too much to do, or starts or stops"}
	internal        = kind{"internal_error", http.StatusInternalServerError, "The server made a mistake; its log has the reason"}
)

// problem is an error answer (RFC 9457). It never holds what the caller sent.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`

	retry time.Duration // 0: the answer does not say when to try again
}

// Error implements error, so that handlers can return it.
func (p *problem) Error() string { return p.Code + ": " + p.Detail }

// because makes an occurrence; an empty detail adds nothing to the title.
func (k kind) because(detail string) *problem {
	return &problem{Type: "/problems/" + strings.ReplaceAll(k.code, "_", "-"), Title: k.title, Status: k.status, Code: k.code, Detail: detail}
}

func (p *problem) after(d time.Duration) *problem {
	p.retry = max(d, time.Second)
	return p
}

func writeProblem(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked has gone if it fails
}

// known says which problem an error of the domain is.
var known = []struct {
	err  error
	kind kind
}{
	{technician.ErrNotSignedIn, notSignedIn}, {technician.ErrCredentials, badCredentials}, {technician.ErrLink, linkInvalid}, {technician.ErrNoPassword, notAllowed},
	{technician.ErrBusy, busy}, {endpoint.ErrUnknown, unknownEndpoint}, {endpoint.ErrDisabled, disabled}, {endpoint.ErrProbes, busy}, {remote.ErrUnknown, unknownSession},
	{remote.ErrID, unknownSession}, {remote.ErrEnded, sessionEnded}, {remote.ErrUnavailable, busy}, {remote.ErrNoTURN, noWay}, {push.ErrBusy, busy}, {push.ErrNoSpace, busy},
	{context.Canceled, busy}, {context.DeadlineExceeded, busy},
}

// problemOf makes the answer for an error of a handler. What is in no table is our mistake: it is logged here and told to nobody.
func (h *Handler) problemOf(err error) *problem {
	if p := detailed(err); p != nil {
		return p
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			p := k.kind.because("")
			if k.kind == busy {
				p.after(time.Second)
			}
			return p
		}
	}
	h.log.Error("request failed", telemetry.Cause(err))
	return internal.because("")
}

// detailed makes the answer for errors that say more than their kind; nil for others.
func detailed(err error) *problem {
	var (
		p       *problem
		wait    *technician.Wait
		other   *technician.Other
		off     *remote.OfflineError
		limit   *remote.LimitError
		ended   *remote.EndedError
		refused = errors.Is(err, technician.ErrInvalid)
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &wait):
		return tooMany.because(fmt.Sprintf("Try again in %v.", max(wait.After.Round(time.Second), time.Second))).after(wait.After)
	case errors.As(err, &other):
		return otherSignedIn.because(sentence(other))
	case errors.As(err, &off):
		return offline.because(sentence(off))
	case errors.As(err, &limit):
		return sessionLimit.because(sentence(limit))
	case errors.As(err, &ended):
		return sessionEnded.because(sentence(ended))
	case refused:
		return invalid.because(sentence(err))
	}
	return nil
}

// sentence makes one of an error's text.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
