package xmpp

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const (
	nsPush     = "urn:signalbox:push:1"
	nsJSON     = "urn:xmpp:json:0"
	nsReceipts = "urn:xmpp:receipts"
)

// Pushes is told what endpoints answer. Neither method blocks; done is called once, with nil when the change is durable.
type Pushes interface {
	// Receipt says that the endpoint has got the push (XEP-0184).
	Receipt(k endpoint.Key, id push.ID, done func(error))
	// Named returns the push that is a message with this id and on its way to the endpoint; false: there is none.
	Named(k endpoint.Key, id string) (push.ID, bool)
	// Result says what the endpoint made of the push; result is valid JSON or nil.
	Result(k endpoint.Key, id push.ID, ok bool, result json.RawMessage, done func(error))
}

// takeMessage takes receipts and results, and routes the rest.
func (s *session) takeMessage(st *stream, el *scan.Stanza) transport.Next {
	to, at := s.target(el)
	switch {
	case to == toServer:
		return s.takeAnswers(st, el)
	case to == toComponent:
		s.toComponent(el)
	case to != toAccount && to != toOwn:
		s.refuse(el, unreachable(to))
	case s.srv.deps.IM == nil:
		s.routeSelf(el, at)
	default:
		if a := s.srv.deps.IM.Message(s, el, at); a.Condition != "" {
			s.srv.metrics.unrouted.Inc()
			s.refuse(el, a)
		} else {
			s.srv.metrics.routed.Inc()
		}
	}
	return transport.Read
}

// takeAnswers reads the receipts and results in a message to the server.
func (s *session) takeAnswers(st *stream, el *scan.Stanza) transport.Next {
	if string(el.Type()) == "error" {
		return transport.Read
	}
	known, bad := false, false
	for c := range el.Element().Children() {
		isReceipt, isResult := c.Is(nsReceipts, "received"), c.Is(nsPush, "result")
		if !isReceipt && !isResult {
			continue
		}
		known = true
		id, ok := s.answered(c, isReceipt)
		if !ok {
			continue // a receipt for something else
		}
		done := s.hold(st)
		if done == nil {
			return st.end(endpoint.ReasonFlood)
		}
		if isReceipt {
			s.srv.deps.Pushes.Receipt(s.key, id, done)
		} else if !s.takeResult(c, id, done) {
			done(nil)
			bad = true
		}
	}
	switch {
	case bad:
		s.refuse(el, badRequest)
	case !known:
		s.refuse(el, feature.Unavailable())
	}
	return transport.Read
}

// answered returns the push that a receipt or a result names.
func (s *session) answered(c scan.Element, isReceipt bool) (push.ID, bool) {
	text, _ := c.Attr("id")
	id, err := push.ParseID(string(text))
	if err != nil && isReceipt {
		return s.srv.deps.Pushes.Named(s.key, string(text))
	}
	return id, err == nil
}

// takeResult hands a result on; it is false if its status or its JSON is not valid.
func (s *session) takeResult(c scan.Element, id push.ID, done func(error)) bool {
	status, _ := c.Attr("status")
	ok := string(status) == "ok"
	if !ok && string(status) != "failed" {
		return false
	}
	var result json.RawMessage
	if j := c.Child(nsJSON, "json"); j.Exists() {
		if result = json.RawMessage(j.Text()); !json.Valid(result) {
			return false
		}
	}
	s.srv.deps.Pushes.Result(s.key, id, ok, result, done)
	return true
}

// Sender puts pushes on the wire. It implements push.Sender.
type Sender struct {
	registry *endpoint.Registry
}

// NewSender returns a sender to the sessions of this registry.
func NewSender(r *endpoint.Registry) *Sender { return &Sender{registry: r} }

// Send implements push.Sender.
func (s *Sender) Send(k endpoint.Key, epoch uint64, p push.Push, delayed bool, written func(time.Time)) error {
	return s.registry.RouteEpoch(k, epoch, endpoint.Stanza{Raw: encode(p, delayed), Written: written, Ref: int64(p.ID)})
}

func encode(p push.Push, delayed bool) []byte {
	if p.Message {
		return encodeMessage(p, delayed)
	}
	return encodePush(p, delayed)
}

// encodePush is the wire form of SPEC section 6.
func encodePush(p push.Push, delayed bool) []byte {
	id := p.ID.String()
	b := make([]byte, 0, 512+len(p.Payload)+len(p.Payload)/2)
	b = append(b, "<message from='"...)
	b = scan.AppendEscaped(b, p.To.Domain)
	b = append(b, "' to='"...)
	b = scan.AppendEscaped(b, p.To.JID())
	b = append(b, "' id='"...)
	b = append(b, id...)
	b = append(b, "'><push xmlns='"+nsPush+"' id='"...)
	b = append(b, id...)
	b = append(b, "' type='"...)
	b = scan.AppendEscaped(b, p.Type)
	b = append(b, "' priority='"...)
	b = append(b, p.Priority.String()...)
	b = append(b, "' expires='"...)
	b = wireExpiry(p).UTC().AppendFormat(b, time.RFC3339)
	b = append(b, "'>"...)
	b = appendPayload(b, p)
	b = append(b, "</push><request xmlns='"+nsReceipts+"'/>"...)
	if delayed {
		b = appendDelay(b, p)
	}
	return append(b, "</message>"...)
}

// appendDelay says since when a push waited (XEP-0203).
func appendDelay(b []byte, p push.Push) []byte {
	b = append(b, "<delay xmlns='urn:xmpp:delay' from='"...)
	b = scan.AppendEscaped(b, p.To.Domain)
	b = append(b, "' stamp='"...)
	b = p.Created.UTC().AppendFormat(b, time.RFC3339)
	return append(b, "'/>"...)
}

// wireExpiry is when the endpoint need not begin with the push any more, in whole seconds and never too early. A push with TTL 0 that arrives is meant to be handled.
func wireExpiry(p push.Push) time.Time {
	if p.TTL == 0 {
		return p.Created.Add(push.NowGrace)
	}
	return p.Expires().Add(time.Second - 1).Truncate(time.Second)
}

func appendPayload(b []byte, p push.Push) []byte {
	switch {
	case p.Binary:
		b = append(b, "<data xmlns='"+nsPush+"' encoding='base64'>"...)
		b = base64.StdEncoding.AppendEncode(b, p.Payload)
		return append(b, "</data>"...)
	case len(p.Payload) > 0:
		b = append(b, "<json xmlns='"+nsJSON+"'>"...)
		b = scan.AppendText(b, p.Payload)
		return append(b, "</json>"...)
	}
	return b
}
