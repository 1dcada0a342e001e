package im

import (
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

// Request routes an iq to the client with this full JID (RFC 6121 sections 8.5.3.1.3 and 8.5.3.2.3). An answer with a condition is an error for the sender of a get or
// a set.
func (s *Service) Request(from feature.Client, el *scan.Stanza, to Address) feature.Answer {
	if a := checkIQ(el); a.Condition != "" {
		return a
	}
	c := s.client(to)
	if c == nil || c.State().Has(feature.Detached) || s.accounts.IsBlocked(to.Key, from.JID()) {
		return feature.Unavailable()
	}
	if s.accounts.IsBlocked(from.Key(), to.String()) {
		return blockedAnswer()
	}
	if !c.Send(scan.Edit{From: from.JID()}.AppendTo(make([]byte, 0, len(el.Raw)+64), el)) {
		return feature.Unavailable()
	}
	return feature.Answer{}
}
