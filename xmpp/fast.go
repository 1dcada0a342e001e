package xmpp

import (
	"errors"
	"strconv"
	"time"

	"signalbox/xmpp/sasl"
	"signalbox/xmpp/scan"
)

const nsFast = "urn:xmpp:fast:0"

// fastLogin is what <fast/> says of a login by a token (XEP-0484 section 3.4).
type fastLogin struct {
	count      uint32
	invalidate bool
}

var (
	errCount      = errors.New("count of the token is no positive number")
	errInvalidate = errors.New("attribute invalidate is no boolean")
)

func readFast(el scan.Element) (*fastLogin, error) {
	f := &fastLogin{}
	if text, ok := el.Attr("count"); ok {
		n, err := strconv.ParseUint(string(text), 10, 31) // xs:int
		if err != nil || n == 0 {
			return nil, &sasl.Failure{Condition: sasl.MalformedRequest, Cause: errCount}
		}
		f.count = uint32(n)
	}
	switch text, _ := el.Attr("invalidate"); string(text) {
	case "true", "1":
		f.invalidate = true
	case "", "false", "0":
	default:
		return nil, &sasl.Failure{Condition: sasl.MalformedRequest, Cause: errInvalidate}
	}
	return f, nil
}

// fastFeature appends the mechanisms that take a token (section 3.1). Nothing is taken before the TLS handshake is over.
func (st *stream) fastFeature(b []byte) []byte {
	names := st.srv.deps.SASL.OfferFast(st.saslInput())
	if len(names) == 0 {
		return b
	}
	b = append(b, "<fast xmlns='"+nsFast+"'>"...)
	b = appendMechanisms(b, names)
	return append(b, "</fast>"...)
}

// renew does what is due about the client's tokens and returns the element that carries a new one (section 3.3). A store that fails costs a token, not the login.
func (st *stream) renew(x *sasl.Exchange, r *request) []byte {
	w := sasl.Wish{Mechanism: r.token}
	if r.fast != nil {
		w.Invalidate = r.fast.invalidate
	}
	t, err := x.Renew(st.login.ctx, w)
	if err != nil {
		st.trouble("tokens of a client could not be renewed", err)
	}
	if t == nil {
		return nil
	}
	return []byte("<token xmlns='" + nsFast + "' expiry='" + t.Expires.Format(time.RFC3339) + "' token='" + t.Text + "'/>")
}
