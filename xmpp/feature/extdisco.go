package feature

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what TURN servers with a shared secret compute
	"encoding/base64"
	"strconv"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/scan"
)

const (
	nsExtdisco = "urn:xmpp:extdisco:2"

	// Credentials of other servers last for this long at least, and are the same for whoever asks again within a slot.
	credentialLife = 12 * time.Hour
	credentialSlot = time.Hour
)

// Relay is our own STUN and TURN server as clients are told of it. Its methods may be called concurrently and never block.
type Relay interface {
	// Services returns where it is.
	Services() []Service
	// Login makes credentials for an account that is a party of a running session; false: it is of none.
	Login(k endpoint.Key) (Login, bool)
}

// Login is what a TURN server demands.
type Login struct {
	Username, Password string
	Expires            time.Time // for new allocations
}

// external hands out services outside XMPP: our own TURN server, and those beside ours.
type external struct {
	services []Service
	secret   []byte
	domain   string
	relay    Relay // nil: there is none
	now      func() time.Time
}

// ExternalServices answers XEP-0215 with these services and with our own, which relay tells of (nil: there is none); without any it offers nothing. TURN servers share the
// secret with us (coturn: static-auth-secret): credentials are a user name that says when they end, and a MAC of it. Without a secret they are left out.
func ExternalServices(services []Service, secret []byte, domain string, relay Relay, now func() time.Time) Feature {
	e := &external{secret: secret, domain: domain, relay: relay, now: now}
	for _, s := range services {
		if !s.relays() || len(secret) > 0 {
			e.services = append(e.services, s)
		}
	}
	if len(e.services) == 0 && relay == nil {
		return Feature{}
	}
	return Feature{Vars: []string{nsExtdisco}, Requests: []Request{
		{Namespace: nsExtdisco, Local: "services", To: Server, Get: e.list},
		{Namespace: nsExtdisco, Local: "credentials", To: Server, Get: e.credentials},
	}}
}

// offer is a service as the asker is told of it.
type offer struct {
	Service
	login Login // empty where none is demanded, or the asker may have none
}

// withheld reports whether the asker may not use the service.
func (o offer) withheld() bool { return o.relays() && o.login.Username == "" }

// offers returns all services, our own first: its credentials are for parties of running sessions alone.
func (e *external) offers(q *Query) (all []offer) {
	if e.relay != nil {
		login, _ := e.relay.Login(q.From.Key())
		for _, s := range e.relay.Services() {
			all = append(all, offer{s, login})
		}
	}
	for _, s := range e.services {
		o := offer{Service: s}
		if s.relays() {
			o.login = e.shared(q)
		}
		all = append(all, o)
	}
	return all
}

// list answers with all services, or with those of one type, which the answer repeats (section 3.2).
func (e *external) list(_ context.Context, q *Query) Answer {
	b := []byte("<services xmlns='" + nsExtdisco + "'")
	typ, one := q.Payload.Attr("type")
	if one {
		b = scan.AppendAttribute(b, "type", string(typ))
	}
	b = append(b, '>')
	for _, o := range e.offers(q) {
		if !one || o.Type == string(typ) {
			b = o.append(b)
		}
	}
	return Answer{Payload: append(b, "</services>"...)}
}

// credentials answers for one service, on all its ports and transports if no port is named (section 3.3).
func (e *external) credentials(_ context.Context, q *Query) Answer {
	asked := q.Payload.Child(nsExtdisco, "service")
	host, hasHost := asked.Attr("host")
	typ, hasType := asked.Attr("type")
	port, hasPort := asked.Attr("port")
	if !hasHost || !hasType {
		return Refuse(stanza.Modify, stanza.BadRequest)
	}
	b := []byte("<credentials xmlns='" + nsExtdisco + "'>")
	none := len(b)
	for _, o := range e.offers(q) {
		if o.Host != string(host) || o.Type != string(typ) || hasPort && itoa(o.Port) != string(port) {
			continue
		}
		if o.withheld() {
			return Refuse(stanza.Auth, stanza.Forbidden)
		}
		b = o.append(b)
	}
	if len(b) == none {
		return Refuse(stanza.Cancel, stanza.ItemNotFound)
	}
	return Answer{Payload: append(b, "</credentials>"...)}
}

// append appends the service, with the asker's credentials where it demands them.
func (o offer) append(b []byte) []byte {
	b = scan.AppendAttribute(append(b, "<service"...), "type", o.Type)
	b = scan.AppendAttribute(scan.AppendAttribute(b, "host", o.Host), "port", itoa(o.Port))
	b = scan.AppendAttribute(b, "transport", o.Transport)
	if o.relays() {
		b = scan.AppendAttribute(b, "restricted", "true")
		if !o.withheld() {
			b = scan.AppendAttribute(b, "expires", o.login.Expires.UTC().Format("2006-01-02T15:04:05Z"))
			b = scan.AppendAttribute(scan.AppendAttribute(b, "username", o.login.Username), "password", o.login.Password)
		}
	}
	return append(b, "/>"...)
}

// shared makes credentials with the secret that other TURN servers share with us.
func (e *external) shared(q *Query) Login {
	expires := e.now().UTC().Truncate(credentialSlot).Add(credentialSlot + credentialLife)
	username := strconv.FormatInt(expires.Unix(), 10) + ":" + e.user(q)
	mac := hmac.New(sha1.New, e.secret)
	mac.Write([]byte(username))
	return Login{Username: username, Password: base64.StdEncoding.EncodeToString(mac.Sum(nil)), Expires: expires}
}

// user names the asker: an account here by its id, others, which are at a component, by their address.
func (e *external) user(q *Query) string {
	if k := q.From.Key(); k.Domain == e.domain {
		return k.ID
	}
	return q.From.Key().JID()
}
