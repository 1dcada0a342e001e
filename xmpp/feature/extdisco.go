package feature

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what TURN servers with a shared secret compute
	"encoding/base64"
	"strconv"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

const (
	nsExtdisco = "urn:xmpp:extdisco:2"

	// Credentials last for this long at least, and are the same for whoever asks again within a slot.
	credentialLife = 12 * time.Hour
	credentialSlot = time.Hour
)

// external hands out services beside ours.
type external struct {
	services []Service
	secret   []byte
	domain   string
	now      func() time.Time
}

// ExternalServices answers XEP-0215 with these services; without any it offers nothing. TURN servers share the secret with us (coturn: static-auth-secret): credentials
// are a user name that says when they end, and a MAC of it. Without a secret TURN servers are left out.
func ExternalServices(services []Service, secret []byte, domain string, now func() time.Time) Feature {
	e := &external{secret: secret, domain: domain, now: now}
	for _, s := range services {
		if !s.relays() || len(secret) > 0 {
			e.services = append(e.services, s)
		}
	}
	if len(e.services) == 0 {
		return Feature{}
	}
	return Feature{Vars: []string{nsExtdisco}, Requests: []Request{
		{Namespace: nsExtdisco, Local: "services", To: Server, Get: e.list},
		{Namespace: nsExtdisco, Local: "credentials", To: Server, Get: e.credentials},
	}}
}

// list answers with all services, or with those of one type, which the answer repeats (section 3.2).
func (e *external) list(_ context.Context, q *Query) Answer {
	b := []byte("<services xmlns='" + nsExtdisco + "'")
	typ, one := q.Payload.Attr("type")
	if one {
		b = scan.AppendAttribute(b, "type", string(typ))
	}
	b = append(b, '>')
	for _, s := range e.services {
		if !one || s.Type == string(typ) {
			b = e.append(b, s, q)
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
	for _, s := range e.services {
		if s.Host == string(host) && s.Type == string(typ) && (!hasPort || itoa(s.Port) == string(port)) {
			b = e.append(b, s, q)
		}
	}
	if len(b) == none {
		return Refuse(stanza.Cancel, stanza.ItemNotFound)
	}
	return Answer{Payload: append(b, "</credentials>"...)}
}

// append appends a service, with credentials of the asker where it demands them.
func (e *external) append(b []byte, s Service, q *Query) []byte {
	b = scan.AppendAttribute(append(b, "<service"...), "type", s.Type)
	b = scan.AppendAttribute(scan.AppendAttribute(b, "host", s.Host), "port", itoa(s.Port))
	b = scan.AppendAttribute(b, "transport", s.Transport)
	if s.relays() {
		expires := e.now().UTC().Truncate(credentialSlot).Add(credentialSlot + credentialLife)
		username := strconv.FormatInt(expires.Unix(), 10) + ":" + e.user(q)
		mac := hmac.New(sha1.New, e.secret)
		mac.Write([]byte(username))
		b = scan.AppendAttribute(scan.AppendAttribute(b, "restricted", "true"), "expires", expires.Format("2006-01-02T15:04:05Z"))
		b = scan.AppendAttribute(scan.AppendAttribute(b, "username", username), "password", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return append(b, "/>"...)
}

// user names the asker: an account here by its id, others, which are at a component, by their address.
func (e *external) user(q *Query) string {
	if k := q.From.Key(); k.Domain == e.domain {
		return k.ID
	}
	return q.From.Key().JID()
}
