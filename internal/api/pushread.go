package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/push"
)

// pushReader collects the mistakes of a request for a push while it makes the push.
type pushReader struct {
	request push.Request
	targets []string // nil: the push is for the one endpoint that request names
	body    *pushCreate
	header  http.Header
	errs    []FieldError
	refused []FieldError // fields that are not built yet
}

func (p *pushReader) wrong(pointer, detail string) {
	p.errs = append(p.errs, FieldError{Pointer: pointer, Detail: detail})
}

func (p *pushReader) wrongHeader(name, detail string) {
	p.errs = append(p.errs, FieldError{Parameter: name, Detail: detail})
}

// readPush makes a push of a request, with its targets where it has a list of them. What only the domain knows (types, bounds) it leaves to the domain.
func (s *Server) readPush(c call[pushHeaders, pushCreate]) (push.Request, []string, *Problem) {
	p := &pushReader{body: &c.Body, header: c.header}
	p.singleHeaders()
	p.unsupported(c.Params)
	p.target(s)
	p.request.Push.Type = c.Body.Type
	if problem := p.payload(); problem != nil {
		return push.Request{}, nil, problem
	}
	p.lifetime(c.Params, s.deps.Pushes.DefaultTTL())
	p.priority(c.Params)
	p.ack()
	p.idempotency(c)
	switch {
	case p.errs != nil:
		return push.Request{}, nil, validationFailed.problem("", p.errs...)
	case p.refused != nil:
		return push.Request{}, nil, notSupported.problem("", p.refused...)
	}
	return p.request, p.targets, nil
}

// singleHeaders refuses a header that stands twice: which of the two counts would be a guess.
func (p *pushReader) singleHeaders() {
	for _, name := range []string{"Idempotency-Key", "TTL", "Urgency", "Topic"} {
		if len(p.header.Values(name)) > 1 {
			p.wrongHeader(name, "it stands more than once")
		}
	}
}

func (p *pushReader) unsupported(h *pushHeaders) {
	if p.body.CollapseKey.RawMessage != nil {
		p.refused = append(p.refused, FieldError{Pointer: "/collapse_key", Detail: "replacing a waiting push is not built yet"})
	}
	if p.body.NotBefore.RawMessage != nil {
		p.refused = append(p.refused, FieldError{Pointer: "/not_before", Detail: "delivery at a later time is not built yet"})
	}
	if h.Topic != "" {
		p.refused = append(p.refused, FieldError{Parameter: "Topic", Detail: "replacing a waiting push is not built yet"})
	}
}

// target finds out who gets the push: one endpoint, or a list of them, however the request names it.
func (p *pushReader) target(s *Server) {
	raw := p.body.To.RawMessage
	p.request.Push.To = s.key("")
	switch {
	case raw == nil:
		p.wrong("/to", "it is missing: the id of an endpoint, or a list of ids")
	case raw[0] == '[':
		p.list(raw)
	case raw[0] == '{':
		p.refused = append(p.refused, FieldError{Pointer: "/to", Detail: "only the id of an endpoint or a list of ids for now; groups and labels are not built yet"})
	case raw[0] != '"':
		p.wrong("/to", "it must be the id of an endpoint, or a list of ids")
	default:
		var id string
		if err := json.Unmarshal(raw, &id); err != nil || id == "" {
			p.wrong("/to", "it must be the id of an endpoint")
		}
		p.request.Push.To = s.key(id)
	}
}

// list takes a list of ids; what stands in them is the domain's to judge.
func (p *pushReader) list(raw json.RawMessage) {
	p.targets = []string{}
	if json.Unmarshal(raw, &p.targets) == nil && !bytes.Contains(raw, []byte("null")) {
		return
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		p.wrong("/to", "it must be the id of an endpoint, or a list of ids")
		return
	}
	for i, item := range items {
		if item[0] != '"' && len(p.errs) < maxFieldErrors {
			p.wrong("/to/"+strconv.Itoa(i), "it must be a string: the id of an endpoint")
		}
	}
}

// payload returns a problem of its own for what is too large.
func (p *pushReader) payload() *Problem {
	raw, text := p.body.Payload, p.body.PayloadBase64
	if raw != nil && text != nil {
		p.wrong("/payload_base64", "give payload or payload_base64, not both")
		return nil
	}
	place, data := "/payload", []byte(raw)
	if text != nil {
		place = "/payload_base64"
		var err error
		if data, err = base64.StdEncoding.Strict().DecodeString(*text); err != nil || strings.ContainsAny(*text, "\r\n") {
			p.wrong(place, "it is not base64 (RFC 4648 section 4, with padding)")
		}
		p.request.Push.Binary = true
	}
	if len(data) > push.MaxPayloadBytes {
		detail := fmt.Sprintf("%d bytes, at most %d are allowed", len(data), push.MaxPayloadBytes)
		return payloadTooLarge.problem("The payload is too large: send a link to larger data.", FieldError{Pointer: place, Detail: detail})
	}
	p.request.Push.Payload = data
	return nil
}

// lifetime takes the TTL from the body, else from the header of RFC 8030, else the default.
func (p *pushReader) lifetime(h *pushHeaders, standard time.Duration) {
	var ttl *int64
	if h.TTL != "" {
		n, err := strconv.ParseUint(h.TTL, 10, 31)
		if err != nil || int64(n) > int64(push.MaxTTL/time.Second) {
			p.wrongHeader("TTL", "it must be a number of seconds, 0 to 2419200")
		}
		seconds := int64(n)
		ttl = &seconds
	}
	if p.body.TTL != nil {
		if ttl != nil && *ttl != *p.body.TTL {
			p.wrong("/ttl", "the header TTL says something else; give one of them")
		}
		ttl = p.body.TTL
	}
	if ttl == nil {
		p.request.Push.TTL = standard
		return
	}
	if *ttl < 0 || *ttl > int64(push.MaxTTL/time.Second) {
		p.wrong("/ttl", "it must be 0 to 2419200 seconds")
		return
	}
	p.request.Push.TTL = time.Duration(*ttl) * time.Second
}

// priority takes the field of the body, else the header of RFC 8030.
func (p *pushReader) priority(h *pushHeaders) {
	p.request.Push.Priority = push.Normal
	if name := h.Urgency; name != "" {
		if name == "very-low" {
			name = push.Low.String()
		}
		p.named(name, FieldError{Parameter: "Urgency", Detail: "it must be very-low, low, normal or high"})
	}
	if p.body.Priority != nil {
		p.named(*p.body.Priority, FieldError{Pointer: "/priority", Detail: "it must be high, normal or low"})
	}
}

func (p *pushReader) named(priority string, mistake FieldError) {
	parsed, err := push.ParsePriority(priority)
	if err != nil || priority == "" {
		p.errs = append(p.errs, mistake)
		return
	}
	p.request.Push.Priority = parsed
}

func (p *pushReader) ack() {
	ack, err := push.ParseAck(value(p.body.Ack))
	if err != nil || (p.body.Ack != nil && *p.body.Ack == "") {
		p.wrong("/ack", "it must be none, delivered or handled")
	}
	p.request.Push.Ack = ack
}

// idempotency binds the key to the caller and to all that decides about the push: the body and the headers that add to it.
func (p *pushReader) idempotency(c call[pushHeaders, pushCreate]) {
	key := c.Params.IdempotencyKey
	if key == "" {
		if p.header.Values("Idempotency-Key") != nil {
			p.wrongHeader("Idempotency-Key", "it is empty")
		}
		return
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			p.wrongHeader("Idempotency-Key", "it has characters that are not printable ASCII")
			return
		}
	}
	body := c.raw
	if c.Params.TTL != "" || c.Params.Urgency != "" {
		body = fmt.Appendf(nil, "%s\nTTL: %s\nUrgency: %s", c.raw, c.Params.TTL, c.Params.Urgency)
	}
	i := push.NewIdempotency(c.caller.TokenID, key, body)
	p.request.Idempotency = &i
}

// pushMistake points at what the domain refused.
func pushMistake(err error) error {
	var fields push.FieldErrors
	if errors.As(err, &fields) {
		errs := make([]FieldError, len(fields))
		for i, f := range fields {
			errs[i] = FieldError{Pointer: f.Pointer, Detail: f.Detail}
		}
		return validationFailed.problem("", errs...)
	}
	p := domainProblem(err)
	if p == nil {
		return err
	}
	var interrupted *push.InterruptedError
	if errors.As(err, &interrupted) {
		f := interrupted.Fanout
		p.Detail = fmt.Sprintf("%d of the %d targets are stored, as those of %s. Send the request again with the same Idempotency-Key to go on, or cancel it with DELETE /v1/pushes/%s.",
			f.Stored, f.Targets, f.ID, f.ID)
	}
	switch p.Code {
	case unknownEndpoint.code, endpointDisabled.code, queueFull.code:
		p.Errors = []FieldError{{Pointer: "/to", Detail: p.Title + "."}}
	}
	return p
}
