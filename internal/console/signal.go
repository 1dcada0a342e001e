package console

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"signalbox/internal/remote"
	"signalbox/internal/signalling"
	"signalbox/internal/telemetry"
)

const (
	signalProtocol = "signalbox-session.2"
	firstProtocol  = "signalbox-session" // of those who end at a message that there was not at first
	attachWithin   = 10 * time.Second
	signalQueue    = 256 // messages to a technician that wait
)

// signaller is a technician's connection for signalling. Its methods are called one at a time.
type signaller struct {
	h      *Handler
	socket *socket
	from   netip.Addr
	late   *time.Timer // until a session is taken
	seat   Seat        // nil until then
}

// signal serves the technician's side of a session's signalling. Nobody need be signed in: what counts is the token in the first message.
func (h *Handler) signal(w http.ResponseWriter, r *http.Request) {
	s, ok := h.accept(w, r, signalling.MaxMessage, signalQueue, signalProtocol, firstProtocol)
	if !ok {
		return
	}
	defer h.metrics.opened("signal")()
	c := &signaller{h: h, socket: s, from: remoteAddr(r), late: time.AfterFunc(attachWithin, func() { s.end(endSilent) })}
	how := s.serve(r.Context(), c.handle)
	h.metrics.ended(how)
	c.late.Stop()
	c.refused(how)
	if c.seat != nil {
		c.seat.Detach()
	}
	s.leave()
}

// handle takes what the technician says. What does not fit the state of the session is dropped: it may have been on its way when that changed.
func (c *signaller) handle(ctx context.Context, message []byte) {
	m, err := signalling.ParseJSON(message, signalling.FromTechnician)
	attach, first := m.(signalling.Attach)
	switch {
	case err != nil:
		c.socket.end(refusal(err))
		return
	case first != (c.seat == nil):
		c.socket.end(refusal(signalling.ErrUnexpected))
		return
	case first:
		c.attach(ctx, attach)
		return
	}
	switch err := c.seat.Take(ctx, m); {
	case err == nil:
	case errors.Is(err, remote.ErrMessage):
		c.h.metrics.dropped.Inc()
	default:
		c.socket.end(c.h.endOfError(err))
	}
}

// refusal is how a socket ends for a message that breaks a rule of the protocol.
func refusal(err error) ending { return ending{endMalformed.code, string(signalling.CodeOf(err))} }

// refused has the audit trail tell of the message that ended the connection, if one did.
func (c *signaller) refused(how ending) {
	code := signalling.Code(how.reason)
	switch how.code {
	case endTooBig.code:
		code = signalling.TooLarge
	case endMalformed.code:
	default:
		return
	}
	if c.seat != nil {
		c.seat.Refused(code)
	} else {
		c.h.deps.Seats.Refused(c.from, code)
	}
}

// attach takes a seat.
func (c *signaller) attach(ctx context.Context, a signalling.Attach) {
	seat, err := c.h.deps.Seats.Attach(ctx, a, c.from, c.tell, func(reason string) { c.socket.end(endOf(reason)) })
	var over *remote.EndedError
	if errors.As(err, &over) {
		c.tell(signalling.End{About: a.About, Reason: over.Reason, Detail: over.Detail})
	}
	if err != nil {
		c.socket.end(c.h.endOfError(err))
		return
	}
	c.late.Stop()
	c.seat = seat
	if !c.h.belongs(c.socket, "session "+a.ID, maxPerSession) {
		c.socket.end(endTooMany)
	}
}

// tell sends what a technician is told.
func (c *signaller) tell(m signalling.Message) bool {
	if _, later := m.(signalling.Restarted); later && c.socket.protocol != signalProtocol {
		return true
	}
	data, err := signalling.AppendJSON(nil, m)
	if err != nil {
		c.h.log.Error("a message to a technician cannot be encoded", telemetry.Detail(m.Name()), telemetry.Cause(err))
		return true // the next ones can
	}
	return c.socket.send(data)
}

// endOfError says how a socket ends for an error of the broker.
func (h *Handler) endOfError(err error) ending {
	switch {
	case errors.Is(err, remote.ErrTicket):
		return endRefused
	case errors.Is(err, remote.ErrEnded):
		return endOver
	case errors.Is(err, remote.ErrReplaced):
		return endReplaced
	case !errors.Is(err, remote.ErrUnavailable) && !errors.Is(err, context.Canceled):
		h.log.Warn("a technician's connection is given up", telemetry.Cause(err))
	}
	return endTryLater
}

// endOf says how a socket ends whose session has let it go.
func endOf(reason string) ending {
	switch reason {
	case remote.LetGoReplaced:
		return endReplaced
	case remote.LetGoSlow:
		return endTooSlow
	}
	return endOver
}
