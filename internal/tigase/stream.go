package tigase

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/push"
	"signalbox/xmpp/scan"
)

const (
	maxIDBytes = 1023             // of a stanza's id, since answers repeat it
	askedFor   = 30 * time.Second // how long a client may take to answer an iq
)

// stream sends one stanza: a message is a push, an iq is answered by whom it is for, a presence is for who is there now.
func (h *Handler) stream(ctx context.Context, x *exchange) (object, error) {
	el, err := h.readStanza(x.body, strings.Trim(x.PathValue("to"), " "))
	if err != nil {
		return nil, err
	}
	to, err := h.address(string(el.To()))
	if err != nil {
		return nil, err
	}
	switch el.Kind {
	case scan.Message:
		return h.message(ctx, x, &el, to)
	case scan.IQ:
		return h.iq(ctx, &el, to)
	}
	if to.ID == "" || !h.deps.XMPP.Deliver(to.Key, to.resource, el.Raw) {
		return nil, notFound("Nobody is there to take the presence, which is not kept.")
	}
	return rawAnswer("", nil), nil
}

// readStanza reads the one stanza of a body, and puts in who sends it, and whom it is for where the path says so.
func (h *Handler) readStanza(body []byte, to string) (scan.Stanza, error) {
	el, err := readElement(body)
	if err != nil {
		return scan.Stanza{}, err
	}
	switch {
	case el.Kind == scan.Nonza || el.HasStreams:
		return scan.Stanza{}, badRequest("The element is no iq, message or presence of jabber:client.")
	case len(el.ID()) > maxIDBytes || strings.ContainsFunc(string(el.ID()), unicode.IsControl):
		return scan.Stanza{}, badRequest("The id of a stanza has at most 1023 bytes, and no control characters.")
	case len(el.From()) > 0 && string(el.From()) != h.deps.Domain:
		return scan.Stanza{}, &failure{status: http.StatusForbidden, text: "Stanzas are sent in the name of " + h.deps.Domain + ": leave the attribute from out."}
	case to == "" && len(el.To()) == 0:
		return scan.Stanza{}, badRequest("The stanza needs the attribute to, or the path an address.")
	case el.Kind == scan.IQ && (string(el.Type()) != "get" && string(el.Type()) != "set" || el.Children != 1):
		return scan.Stanza{}, badRequest("An iq needs the type get or set, and exactly one child element.")
	}
	edited := scan.Edit{From: h.deps.Domain, To: to}.AppendTo(make([]byte, 0, len(el.Raw)+128), &el)
	return scan.ParseInStream(edited, scan.Accepted)
}

// nsReceipts is that of XEP-0184.
const nsReceipts = "urn:xmpp:receipts"

// message accepts a message as a push: it is durable when this returns, waits while the user is offline, and arrives as it was sent. Where it asks for a receipt, it is
// sent again until there is one; else it is done when it is written to the connection.
func (h *Handler) message(ctx context.Context, x *exchange, el *scan.Stanza, to address) (object, error) {
	if to.ID == "" {
		return nil, notFound("The server itself reads no messages: send it to a user.")
	}
	name := string(el.ID())
	if _, err := push.ParseID(name); err == nil {
		return nil, badRequest("The id of the message looks like one that the server gives: choose another, or leave it out.")
	}
	wire := scan.Edit{From: h.deps.Domain, To: to.JID()}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)
	p := push.Push{To: to.Key, Type: push.MessageType, Message: true, Payload: push.MessagePayload(name, wire), Priority: push.Normal, Ack: push.AckNone,
		TTL: cmp.Or(h.deps.Pushes.DefaultTTL(), push.DefaultTTL)} // a message is kept, whatever holds for pushes that do not say
	if el.Element().Child(nsReceipts, "request").Exists() {
		p.Ack = push.AckDelivered
	}
	if len(p.Payload) > push.MaxPayloadBytes {
		return nil, tooLarge()
	}
	key, err := idempotency(x)
	if err != nil {
		return nil, err
	}
	st, err := h.deps.Pushes.Submit(ctx, push.Request{Push: p, Idempotency: key})
	if err != nil {
		return nil, err
	}
	if st.Replayed {
		x.header.Set("Idempotency-Replayed", "true")
	}
	x.header.Set("Location", "/v1/pushes/"+st.ID.String())
	return rawAnswer("", nil), nil
}

// idempotency reads the header of the same name, which a Tigase does not know; nil: there is none.
func idempotency(x *exchange) (*push.Idempotency, error) {
	keys := x.Header.Values("Idempotency-Key")
	switch {
	case len(keys) == 0:
		return nil, nil
	case len(keys) > 1 || keys[0] == "" || len(keys[0]) > 255:
		return nil, badRequest("One Idempotency-Key of 1 to 255 bytes is allowed.")
	}
	i := push.NewIdempotency(x.who.TokenID, keys[0], append([]byte(x.URL.Path+"\n"), x.body...))
	return &i, nil
}

// iq asks who it is for and answers with the answer, which may be of type error; only one that never comes is an error of HTTP.
func (h *Handler) iq(ctx context.Context, el *scan.Stanza, to address) (object, error) {
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	default:
		return nil, push.ErrBusy
	}
	asked := el
	if el.ID() == nil {
		named, err := scan.ParseInStream(withID(el.Raw), scan.Accepted)
		if err != nil {
			return nil, err
		}
		asked = &named
	}
	ctx, cancel := context.WithTimeout(ctx, askedFor)
	defer cancel()
	answer, err := h.deps.XMPP.Ask(ctx, to.Key, to.resource, asked)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &failure{status: http.StatusGatewayTimeout, text: "The client did not answer within 30 seconds."}
	case err != nil:
		return nil, err
	}
	return rawAnswer("application/xml", inNamespace(answer)), nil
}

// withID gives an iq an id, which it needs.
func withID(raw []byte) []byte {
	at := nameEnd(raw)
	b := scan.AppendAttribute(append(make([]byte, 0, len(raw)+64), raw[:at]...), "id", rand.Text())
	return append(b, raw[at:]...)
}

// inNamespace returns a stanza of a stream for a place where it stands alone.
func inNamespace(raw []byte) []byte {
	el, err := scan.ParseInStream(raw, scan.Accepted)
	if err != nil {
		return raw
	}
	return scan.Restate(make([]byte, 0, len(raw)+64), &el, "")
}

// nameEnd returns where the name of the element ends.
func nameEnd(raw []byte) int { return strings.IndexAny(string(raw), " \t\r\n/>") }
