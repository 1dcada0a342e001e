package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/push"
)

// pushReader collects the mistakes of a request for a push while it makes the push.
type pushReader struct {
	request  push.Request
	many     bool     // the push is not for the one endpoint that request names, but for targets, or for what selector says
	targets  []string // nil: selector says who
	selector push.Selector
	body     *pushCreate
	header   http.Header
	place    string // of the push in the body, before all pointers
	errs     []FieldError
}

func (p *pushReader) wrong(pointer, detail string) {
	p.errs = append(p.errs, FieldError{Pointer: p.place + pointer, Detail: detail})
}

func (p *pushReader) wrongHeader(name, detail string) {
	p.errs = append(p.errs, FieldError{Parameter: name, Detail: detail})
}

// readPush makes a push of a request, with its targets where there may be many. What only the domain knows (types, bounds) it leaves to the domain.
func (s *Server) readPush(c call[pushHeaders, pushCreate]) (*pushReader, *Problem) {
	p := &pushReader{body: &c.Body, header: c.header}
	p.singleHeaders()
	p.target(s)
	if problem := p.content(s, c.Params); problem != nil {
		return nil, problem
	}
	body := c.raw
	if c.Params.TTL != "" || c.Params.Urgency != "" {
		body = fmt.Appendf(nil, "%s\nTTL: %s\nUrgency: %s", c.raw, c.Params.TTL, c.Params.Urgency)
	}
	if c.Params.Topic != "" {
		body = fmt.Appendf(nil, "%s\nTopic: %s", body, c.Params.Topic)
	}
	p.request.Idempotency = p.idempotency(c.caller.TokenID, c.Params.IdempotencyKey, body)
	if p.errs != nil {
		return nil, validationFailed.problem("", p.errs...)
	}
	return p, nil
}

// content reads all but the targets and the key.
func (p *pushReader) content(s *Server, h *pushHeaders) *Problem {
	p.request.Push.Type = p.body.Type
	if problem := p.payload(); problem != nil {
		return problem
	}
	p.lifetime(h, s.deps.Pushes.DefaultTTL())
	p.priority(h)
	p.ack()
	p.collapse(h)
	p.notBefore()
	return nil
}

// singleHeaders refuses a header that stands twice: which of the two counts would be a guess.
func (p *pushReader) singleHeaders() {
	for _, name := range []string{"Idempotency-Key", "TTL", "Urgency", "Topic"} {
		if len(p.header.Values(name)) > 1 {
			p.wrongHeader(name, "it stands more than once")
		}
	}
}

// collapse takes the key from the body, else the Topic of RFC 8030.
func (p *pushReader) collapse(h *pushHeaders) {
	key := h.Topic
	if p.body.CollapseKey != nil {
		if key != "" && key != *p.body.CollapseKey {
			p.wrong("/collapse_key", "the header Topic says something else; give one of them")
		}
		if key = *p.body.CollapseKey; key == "" {
			p.wrong("/collapse_key", "it is empty: leave it out")
		}
	}
	p.request.Push.CollapseKey = key
}

func (p *pushReader) notBefore() {
	if p.body.NotBefore == nil {
		return
	}
	at, err := time.Parse(time.RFC3339Nano, *p.body.NotBefore)
	if err != nil || at.Year() < 2000 || at.Year() > 2200 {
		p.wrong("/not_before", "it must be a time as RFC 3339 has it, such as 2026-01-01T00:00:00Z")
		return
	}
	p.request.Push.NotBefore = at.UTC()
}

// target finds out who gets the push: one endpoint, a list of them, or those in a group or with labels.
func (p *pushReader) target(s *Server) {
	raw := p.body.To.RawMessage
	p.request.Push.To = s.key("")
	switch {
	case raw == nil:
		p.wrong("/to", "it is missing: the id of an endpoint, a list of ids, a group or labels")
	case raw[0] == '[':
		p.many = true
		p.list(raw)
	case raw[0] == '{':
		p.many = true
		p.choose(raw)
	case raw[0] != '"':
		p.wrong("/to", "it must be the id of an endpoint, a list of ids, or an object with a group or labels")
	default:
		p.one(s, raw)
	}
	if p.late() && !p.many {
		p.wrong("/late_joiners", "it is for groups and labels")
	}
}

func (p *pushReader) late() bool { return p.body.LateJoiners != nil && *p.body.LateJoiners }

// one takes the id of an endpoint.
func (p *pushReader) one(s *Server, raw json.RawMessage) {
	var id string
	if json.Unmarshal(raw, &id) != nil || id == "" {
		p.wrong("/to", "it must be the id of an endpoint")
	}
	p.request.Push.To = s.key(id)
}

// choose takes a group and labels.
func (p *pushReader) choose(raw json.RawMessage) {
	var chosen pushSelector
	check := checker{data: raw, path: []string{"to"}}
	err := check.value(reflect.TypeFor[pushSelector](), 1)
	if len(check.errs) > 0 {
		p.errs = append(p.errs, check.errs...)
		return
	}
	if err != nil || json.Unmarshal(raw, &chosen) != nil {
		p.wrong("/to", "it cannot be read: "+malformedJSON.advice)
		return
	}
	if chosen.Group != nil && *chosen.Group == "" {
		p.wrong("/to/group", "it is empty")
	}
	p.selector = push.Selector{Group: value(chosen.Group), Labels: chosen.Labels}
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
		return payloadTooLarge.problem("The payload is too large: send a link to larger data.", FieldError{Pointer: p.place + place, Detail: detail})
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

// priority takes the field of the body, else the header of RFC 8030. They may say the same.
func (p *pushReader) priority(h *pushHeaders) {
	p.request.Push.Priority = push.Normal
	before := len(p.errs)
	if name := h.Urgency; name != "" {
		if name == "very-low" {
			name = push.Low.String()
		}
		p.named(name, FieldError{Parameter: "Urgency", Detail: "it must be very-low, low, normal or high"})
	}
	if p.body.Priority != nil {
		fromHeader := p.request.Push.Priority
		p.named(*p.body.Priority, FieldError{Pointer: p.place + "/priority", Detail: "it must be high, normal or low"})
		if h.Urgency != "" && len(p.errs) == before && fromHeader != p.request.Push.Priority {
			p.wrong("/priority", "the header Urgency says something else; give one of them")
		}
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
func (p *pushReader) idempotency(token, key string, body []byte) *push.Idempotency {
	if key == "" {
		if p.header.Values("Idempotency-Key") != nil {
			p.wrongHeader("Idempotency-Key", "it is empty")
		}
		return nil
	}
	for i := range len(key) {
		if key[i] < 0x20 || key[i] > 0x7e {
			p.wrongHeader("Idempotency-Key", "it has characters that are not printable ASCII")
			return nil
		}
	}
	i := push.NewIdempotency(token, key, body)
	return &i
}

// pushMistake points at what the domain refused. place is that of the push in the body.
func pushMistake(err error, place string) error {
	var fields push.FieldErrors
	if errors.As(err, &fields) {
		errs := make([]FieldError, len(fields))
		for i, f := range fields {
			errs[i] = FieldError{Pointer: place + f.Pointer, Detail: f.Detail}
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
	case unknownEndpoint.code, endpointDisabled.code, queueFull.code, noTargets.code:
		p.Errors = []FieldError{{Pointer: place + "/to", Detail: p.Title + "."}}
	}
	return p
}
