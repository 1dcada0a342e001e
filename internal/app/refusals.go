package app

import (
	"signalbox/internal/events"
	"signalbox/internal/listen"
)

// refusals has refused handshakes told of as events, and hands all refusals on. It implements listen.Observer.
type refusals struct {
	told *events.Refusals
	next listen.Observer
}

// Refused implements listen.Observer.
func (r refusals) Refused(f listen.Refusal) {
	r.next.Refused(f)
	switch f.Reason {
	case listen.HandshakeFailed, listen.HandshakeTimeout, listen.ALPNMismatch, listen.TLSTooOld, listen.SNIUnknown:
		r.told.Add(events.Refusal{
			Source: f.Remote.Addr(), Listener: f.Listener, Reason: string(f.Reason), Alert: f.How, ServerName: f.Hello.ServerName,
		})
	}
}
