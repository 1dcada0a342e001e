package xmpp

import (
	"encoding/base64"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/sasl"
	"signalbox/xmpp/scan"
	"signalbox/xmpp/transport"
)

const nsSASL2 = "urn:xmpp:sasl:2"

// request is what <authenticate/> asks for beside the login (XEP-0388 section 2.3). It is copied out of the stanza, which is gone when a login of several steps ends.
type request struct {
	client  string // id of the client's installation, in lower case; empty: it told none
	initial []byte // nil: none
	resume  *resumption
	bind    *binding
	fast    *fastLogin // nil: it has no token
	token   string     // mechanism of a token that it would like; empty: none
}

// authentication appends the stream feature (XEP-0388 section 2.1) with what can be asked for in the same breath.
func (st *stream) authentication(b []byte, names []string) []byte {
	b = append(b, "<authentication xmlns='"+nsSASL2+"'>"...)
	b = appendMechanisms(b, names)
	b = append(b, "<inline><sm xmlns='"+nsSM+"'/>"...)
	b = st.fastFeature(st.bindFeature(b))
	return append(b, "</inline></authentication>"...)
}

// takeSASL2 is the profile of SASL of XEP-0388.
func (st *stream) takeSASL2(el *scan.Stanza) transport.Next {
	underWay := st.login.request != nil
	switch name := string(el.Local()); {
	case name == "authenticate" && !underWay:
		return st.authenticate(el.Element())
	case name == "response" && underWay:
		response, err := sasl.DecodeData([]byte(el.Element().Text()))
		if err != nil {
			return st.refuse(err)
		}
		return st.step(response)
	case name == "response":
		return st.refuse(&sasl.Failure{Condition: sasl.MalformedRequest, Cause: errNoExchange})
	case name == "abort":
		return st.refuse(&sasl.Failure{Condition: sasl.Aborted, Cause: errAborted})
	}
	return st.end(endpoint.ReasonNotAuthorized) // section 2.4
}

func (st *stream) authenticate(el scan.Element) transport.Next {
	if st.login.exchange != nil {
		return st.refuse(&sasl.Failure{Condition: sasl.MalformedRequest, Cause: errBegunTwice})
	}
	r, err := readRequest(el)
	if err != nil {
		return st.refuse(err)
	}
	name, _ := el.Attr("mechanism")
	st.login.mechanism = clip(name, maxMechanism)
	in := st.saslInput()
	in.From, in.Client = st.login.from, r.client
	if r.fast != nil {
		in.Fast, in.Count = true, r.fast.count
	}
	x, err := st.srv.deps.SASL.Start(string(name), in)
	if err != nil {
		return st.refuse(err)
	}
	st.login.exchange, st.login.request = x, r
	return st.step(r.initial)
}

// readRequest reads <authenticate/>. What it does not know is none of its business.
func readRequest(el scan.Element) (*request, error) {
	r := &request{}
	var err error
	for c := range el.Children() {
		switch ns, name := string(c.Namespace()), string(c.Local()); {
		case ns == nsSASL2 && name == "initial-response":
			r.initial, err = sasl.DecodeData([]byte(c.Text()))
		case ns == nsSASL2 && name == "user-agent":
			r.client, err = readClient(c)
		case ns == nsSM && name == "resume":
			r.resume = readResumption(c)
		case ns == nsBind2 && name == "bind":
			r.bind = readBinding(c)
		case ns == nsFast && name == "fast":
			r.fast, err = readFast(c)
		case ns == nsFast && name == "request-token":
			mechanism, _ := c.Attr("mechanism")
			r.token = string(mechanism)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// readClient reads the id of <user-agent/>: a UUID, if there is one. The names of software and device are for nobody here.
func readClient(el scan.Element) (string, error) {
	id, ok := el.Attr("id")
	if !ok {
		return "", nil
	}
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(id) != len(form) {
		return "", errClient
	}
	text := []byte(form)
	for i, c := range id {
		switch isHex := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'; {
		case form[i] == 'x' && isHex:
			text[i] = c | 0x20 // digits have the bit already
		case form[i] != c || c == 'x':
			return "", errClient
		}
	}
	return string(text), nil
}

var errClient = &sasl.Failure{Condition: sasl.MalformedRequest, Cause: errNoUUID}

// granted is what <success/> says beside what was done inline.
type granted struct {
	data  []byte // of the mechanism; nil: none
	token []byte // element with a token; nil: none
}

// success makes <success/> for who is called identity: a full JID once a resource is bound (XEP-0388 section 2.6.1).
func (g *granted) success(identity string, inline []byte) []byte {
	b := append(make([]byte, 0, 512+len(inline)), "<success xmlns='"+nsSASL2+"'>"...)
	if g.data != nil {
		b = append(b, "<additional-data>"...)
		b = base64.StdEncoding.AppendEncode(b, g.data)
		b = append(b, "</additional-data>"...)
	}
	b = append(b, "<authorization-identifier>"...)
	b = scan.AppendEscaped(b, identity)
	b = append(b, "</authorization-identifier>"...)
	return append(append(append(b, inline...), g.token...), "</success>"...)
}

// proceed follows a login by what was asked for with it: an earlier session is resumed, else a new one is bound (XEP-0386 section 3.2).
func (st *stream) proceed(r *request, g *granted) transport.Next {
	st.phase = st.afterAuth()
	st.sc.SetLimits(st.srv.cfg.StanzaLimits())
	if st.phase == awaitSeat {
		return st.succeed(g, nil) // nothing but a seat is for technicians, and they ask for it next
	}
	var inline []byte
	if r.resume != nil {
		next, found := st.resumeAs(r.resume, g.success)
		if found {
			return next
		}
		inline = smFailed("item-not-found", "")
	}
	if r.bind != nil {
		return st.bindInline(r, g, inline)
	}
	return st.succeed(g, inline)
}

// identity returns the bare JID of who logged in.
func (st *stream) identity() string {
	if t := st.seat.Load(); t != nil {
		return t.bare
	}
	return st.login.key.JID()
}

// succeed tells of a login that nothing is bound to yet, and what can be done now.
func (st *stream) succeed(g *granted, inline []byte) transport.Next {
	st.conn.Control(st.features(g.success(st.identity(), inline)))
	return transport.Read
}
