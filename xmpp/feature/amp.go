package feature

import (
	"context"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/scan"
)

const (
	nsProcessing       = "http://jabber.org/protocol/amp"
	nsProcessingErrors = "http://jabber.org/protocol/amp#errors"
	maxRules           = 16
)

// processing does what the sender of a message wants to happen with it (XEP-0079): by its expiry and by the way in which it would be delivered.
type processing struct{ host Host }

// MessageProcessing offers the conditions expire-at and deliver, and the actions drop, error and notify, of XEP-0079.
func MessageProcessing(host Host) Feature {
	p := &processing{host}
	vars := []string{nsProcessing}
	for _, part := range []string{"condition=deliver", "condition=expire-at", "action=drop", "action=error", "action=notify"} {
		vars = append(vars, nsProcessing+"?"+part)
	}
	return Feature{
		Vars:     []string{nsProcessing},
		Incoming: p.incoming,
		Describe: func(_ context.Context, q *Query, node string) (Answer, bool) {
			if q.To != Server || node != nsProcessing {
				return Answer{}, false
			}
			return Answer{Payload: appendInfo(nil, node, serverIdentity, vars)}, true
		},
	}
}

// rule is one rule of a message.
type rule struct {
	condition, action, value string
	expires                  time.Time // of expire-at
}

// readRules returns the rules of a message in their order. An answer with a condition says what is wrong with them (section 6).
func readRules(el scan.Element) ([]rule, Answer) {
	amp := el.Child(nsProcessing, "amp")
	if status, _ := amp.Attr("status"); !amp.Exists() || len(status) > 0 { // with a status it reports what was done
		return nil, Answer{}
	}
	var rules []rule
	for c := range amp.Children() {
		if !c.Is(nsProcessing, "rule") {
			continue
		}
		condition, _ := c.Attr("condition")
		action, _ := c.Attr("action")
		value, _ := c.Attr("value")
		r := rule{condition: string(condition), action: string(action), value: string(value)}
		switch {
		case len(rules) == maxRules:
			return nil, Refuse(stanza.Modify, stanza.NotAcceptable)
		case r.condition != "deliver" && r.condition != "expire-at":
			return nil, r.refused("unsupported-conditions", stanza.BadRequest)
		case r.action != "drop" && r.action != "error" && r.action != "notify":
			return nil, r.refused("unsupported-actions", stanza.BadRequest)
		case r.condition == "expire-at" && !readTime(&r.expires, r.value),
			r.condition == "deliver" && r.value != "direct" && r.value != "stored" && r.value != "forward" && r.value != "gateway" && r.value != "none":
			return nil, r.refused("invalid-rules", stanza.NotAcceptable)
		}
		rules = append(rules, r)
	}
	return rules, Answer{}
}

// refused is the error that names this rule.
func (r rule) refused(name string, condition stanza.Condition) Answer {
	a := Refuse(stanza.Modify, condition)
	ns := nsProcessing
	if name == "failed-rules" {
		ns = nsProcessingErrors
	}
	a.Detail = string(append(append(r.append(append([]byte("<"+name+" xmlns='"), ns+"'>"...)), "</"+name...), '>'))
	return a
}

func (r rule) append(b []byte) []byte {
	b = scan.AppendAttribute(append(b, "<rule"...), "condition", r.condition)
	return append(scan.AppendAttribute(scan.AppendAttribute(b, "action", r.action), "value", r.value), "/>"...)
}

// incoming carries out the first rule whose condition is met (section 2.3). A message that waits is asked again when it is delivered only for its expiry.
func (p *processing) incoming(_ context.Context, m *Message) {
	if !m.Rules {
		return
	}
	rules, mistake := readRules(m.Stanza.Element())
	if mistake.Condition != "" {
		m.Refuse(mistake)
		return
	}
	for _, r := range rules {
		if r.expires.After(time.Now()) || r.condition == "deliver" && r.value != p.way(m) {
			continue
		}
		switch r.action {
		case "drop":
			m.Drop()
		case "error":
			a := r.refused("failed-rules", stanza.UndefinedCondition)
			m.Refuse(a)
		case "notify":
			p.notify(m, r)
		}
		return
	}
}

// way is how the message would be delivered now.
func (p *processing) way(m *Message) string {
	for _, c := range p.host.Clients(m.To) {
		if presence := c.State().Presence(); presence.Available && presence.Priority >= 0 {
			return "direct"
		}
	}
	if m.NoStore {
		return "none"
	}
	return "stored"
}

// notify tells the sender that a rule was met (section 2.2.4); the message goes on.
func (p *processing) notify(m *Message, r rule) {
	if m.Sender == nil {
		return
	}
	b := scan.AppendAttribute([]byte("<message"), "from", p.host.Domain())
	b = scan.AppendAttribute(b, "to", m.From)
	if id := m.Stanza.ID(); id != nil {
		b = scan.AppendAttribute(b, "id", string(id))
	}
	b = append(b, "><amp xmlns='"+nsProcessing+"' status='notify'"...)
	b = append(scan.AppendAttribute(scan.AppendAttribute(b, "from", m.From), "to", m.To.JID()), '>')
	m.Sender.Send(append(r.append(b), "</amp></message>"...))
}

// expiry returns when a message need not be delivered any more; zero: never.
func expiry(el scan.Element) time.Time {
	rules, _ := readRules(el)
	for _, r := range rules {
		if r.condition == "expire-at" && r.action != "notify" {
			return r.expires
		}
	}
	return time.Time{}
}
