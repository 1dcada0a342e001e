package im

import (
	"context"
	"slices"

	"mellium.im/xmpp/stanza"

	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// Message routes a message (RFC 6121 section 8.5). An answer with a condition is an error for the sender.
func (s *Service) Message(from feature.Client, el *scan.Stanza, to Address) feature.Answer {
	if a := checkNested(el); a.Condition != "" {
		return a
	}
	m, err := s.message(from, el, to)
	if err != nil {
		return feature.Refuse(stanza.Modify, stanza.NotAcceptable)
	}
	defer m.Patience.Stop()
	if s.features.Outgoing(&m.Patience, m); m.Refused() {
		return m.Refusal()
	}
	return s.receive(&m.Patience, m, to)
}

// receive gives a message to the account that it is for.
func (s *Service) receive(ctx context.Context, m *feature.Message, to Address) feature.Answer {
	m.Recipients = s.clients(to.Key)
	if len(m.Recipients) == 0 {
		switch ok, err := s.exists(ctx, to.Key); {
		case err != nil:
			return s.trouble("account of a message could not be read", to.Key, err)
		case !ok && (m.Type == "error" || m.Type == "headline"): // as for an account that exists and has no client
			return feature.Answer{}
		case !ok:
			return feature.Unavailable()
		}
	}
	if s.features.Incoming(ctx, m); m.Refused() {
		return m.Refusal()
	}
	return s.deliver(ctx, m, to)
}

// message makes what is routed of what was written.
func (s *Service) message(from feature.Client, el *scan.Stanza, to Address) (*feature.Message, error) {
	m := &feature.Message{From: from.JID(), Sender: from, To: to.Key, Type: messageType(el), Stanza: el}
	dirty := len(el.To()) == 0
	for c := range el.Element().Children() {
		m.Content.Read(c)
		dirty = dirty || s.forged(c)
	}
	if !dirty {
		return m, nil
	}
	raw := scan.Edit{From: from.JID(), To: to.String(), Drop: s.forged}.AppendTo(make([]byte, 0, len(el.Raw)+128), el)
	clean, err := scan.ParseInStream(raw, scan.Accepted)
	m.Stanza = &clean
	return m, err
}

// messageType reads the attribute; what RFC 6121 section 5.2.2 does not know is normal.
func messageType(el *scan.Stanza) string {
	for _, known := range [...]string{"chat", "error", "groupchat", "headline"} {
		if string(el.Type()) == known {
			return known // the bytes are not copied
		}
	}
	return "normal"
}

// deliver hands a message to those clients that section 8.5 names, else to whoever keeps it.
func (s *Service) deliver(ctx context.Context, m *feature.Message, to Address) feature.Answer {
	if got := s.handOver(m, to); len(got) > 0 {
		s.features.Delivered(ctx, m, got)
		return feature.Answer{}
	}
	switch {
	case m.Type == "headline", m.Type == "error":
		return feature.Answer{}
	case m.Type == "groupchat", to.Resource != "" && m.Type == "normal":
		return feature.Unavailable()
	case s.features.Stored(ctx, m):
		return feature.Answer{}
	}
	return feature.Unavailable()
}

// handOver sends a message to a full JID to the client that has it, and every other one that may be for any client to all that are available with a priority that is
// not negative.
func (s *Service) handOver(m *feature.Message, to Address) []feature.Client {
	if to.Resource != "" {
		if c := find(m.Recipients, to); c != nil && s.sendMessage(c, m, feature.NewCopies(1)) {
			return []feature.Client{c}
		}
		if m.Type != "chat" {
			return nil
		}
	}
	if m.Type == "groupchat" || m.Type == "error" {
		return nil
	}
	takes := m.Recipients
	if slices.ContainsFunc(takes, aside) {
		takes = available(slices.Clone(takes), 0)
	}
	return s.sendAll(m, takes)
}

// aside reports whether a client gets no messages but those that name it.
func aside(c feature.Client) bool {
	p := c.State().Presence()
	return !p.Available || p.Priority < 0
}

// sendAll sends a message to all of these clients and returns those that took it; none if those that did are lost by now.
func (s *Service) sendAll(m *feature.Message, to []feature.Client) []feature.Client {
	if len(to) == 0 {
		return nil
	}
	copies, none, refused := feature.NewCopies(len(to)), false, []feature.Client(nil)
	for _, c := range to {
		if !s.sendMessage(c, m, copies) {
			none = copies.Lost() || none
			refused = append(refused, c)
		}
	}
	switch {
	case none:
		return nil
	case refused == nil:
		return to
	}
	return slices.DeleteFunc(slices.Clone(to), func(c feature.Client) bool { return slices.Contains(refused, c) })
}

// sendMessage sends what would be kept for a client that is not there so that it comes back if this one is lost.
func (s *Service) sendMessage(c feature.Client, m *feature.Message, copies *feature.Copies) bool {
	raw := m.Raw()
	if m.Type != "chat" && m.Type != "normal" {
		return c.Send(raw)
	}
	return c.SendMessage(raw, copies)
}

// returned gives a message that a lost client did not acknowledge to the others of its account, or to whoever keeps it (XEP-0198 section 4).
func (s *Service) returned(ctx context.Context, lost feature.Client, raw []byte) {
	el, err := scan.ParseInStream(raw, scan.Accepted)
	if err != nil {
		return // it was accepted when it came
	}
	to := Address{Key: lost.Key()}
	for _, c := range s.available(to.Key, 0) {
		if c != lost && c.SendMessage(raw, feature.NewCopies(1)) {
			return
		}
	}
	m := &feature.Message{From: string(el.From()), To: to.Key, Type: messageType(&el), Stanza: &el}
	for c := range el.Element().Children() {
		m.Content.Read(c)
	}
	s.features.Stored(ctx, m)
}

// Route implements feature.Host.
func (s *Service) Route(_ context.Context, to string, raw []byte) {
	at, ok := s.parse(to)
	if !ok {
		if at, ok := s.address(to); ok {
			(&guest{s, at}).Send(raw)
		}
		return
	}
	if at.Resource != "" {
		if c := s.client(at); c != nil {
			c.Send(raw)
		}
		return
	}
	for _, c := range s.available(at.Key, 0) {
		c.Send(raw)
	}
}
