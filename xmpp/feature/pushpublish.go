package feature

import (
	"context"
	"crypto/rand"

	"mellium.im/xmpp/jid"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

// announce publishes to push services that a message waits (XEP-0357 section 5).
func (p *pushTargets) announce(ctx context.Context, m *Message, targets []account.PushTarget) {
	waiting, err := p.accounts.CountOffline(ctx, m.To)
	if err != nil {
		p.log.Error("kept messages could not be counted", telemetry.Endpoint(m.To.JID()), telemetry.Cause(err))
	}
	for _, t := range targets {
		p.publish(ctx, m.To, t, appendNotification(t, max(1, waiting), m.From))
	}
}

// appendNotification makes the publication: how many messages wait, and who wrote the last, but not what.
func appendNotification(t account.PushTarget, waiting int, sender string) []byte {
	b := []byte("<pubsub xmlns='" + nsPubSub + "'><publish")
	if t.Node != "" {
		b = scan.AppendAttribute(b, "node", t.Node)
	}
	b = append(b, "><item><notification xmlns='"+nsPushNotifications+"'><x xmlns='"+nsData+"' type='submit'>"...)
	b = appendField(b, "FORM_TYPE", "urn:xmpp:push:summary")
	b = appendField(b, "message-count", itoa(waiting))
	b = appendField(b, "last-message-sender", sender)
	b = append(b, "</x></notification></item></publish>"...)
	if len(t.Options) > 0 {
		b = append(append(append(b, "<publish-options>"...), t.Options...), "</publish-options>"...)
	}
	return append(b, "</pubsub>"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(scan.AppendAttribute(append(b, "<field"...), "var", name), '>')
	return append(appendElement(b, "value", value), "</field>"...)
}

// publish sends a publication to where a push service is: a client of an account here, of several the one with the highest priority, or what the host routes to.
func (p *pushTargets) publish(ctx context.Context, k endpoint.Key, t account.PushTarget, payload []byte) {
	j, err := jid.Parse(t.Service)
	if err != nil {
		return // it was one when it was enabled
	}
	if j.Domainpart() != p.host.Domain() {
		b := scan.AppendAttribute(scan.AppendAttribute([]byte("<iq type='set'"), "id", rand.Text()), "from", k.JID())
		b = append(scan.AppendAttribute(b, "to", t.Service), '>')
		p.host.Route(ctx, t.Service, append(append(b, payload...), "</iq>"...))
		return
	}
	at := endpoint.Key{Domain: j.Domainpart(), ID: j.Localpart()}
	if p.accounts.IsBlocked(at, k.JID()) || p.accounts.IsBlocked(k, t.Service) {
		return
	}
	c := p.client(at, j)
	if c == nil {
		return
	}
	Ask(c, k.JID(), true, payload, func(ctx context.Context, el *scan.Stanza) {
		if why := el.Element().Child(scan.NamespaceClient, "error"); string(el.Type()) == "error" && attribute(why, "type") != "wait" {
			p.drop(ctx, k, t)
		}
	})
}

func (p *pushTargets) client(at endpoint.Key, j jid.JID) (best Client) {
	for _, c := range p.host.Clients(at) {
		presence := c.State().Presence()
		switch {
		case j.Resourcepart() != "":
			if c.JID() == j.String() {
				return c
			}
		case presence.Available && presence.Priority >= 0 && (best == nil || presence.Priority > best.State().Presence().Priority):
			best = c
		}
	}
	return best
}

// drop takes away a registration that its service does not know any more.
func (p *pushTargets) drop(ctx context.Context, k endpoint.Key, t account.PushTarget) {
	if _, err := p.accounts.DisablePush(ctx, k, t.Service, &t.Node); err != nil {
		p.mistake(err, k)
	}
	for _, c := range p.host.Clients(k) {
		c.State().disablePush(t.Service, &t.Node)
	}
}
