package component

import (
	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
)

// visitor is a sender at a component, as features and routing see it for the time of one stanza. It implements feature.Client.
type visitor struct {
	stream *stream
	jid    string
	key    endpoint.Key
	state  feature.State
}

func newVisitor(st *stream, from jid.JID) *visitor {
	return &visitor{stream: st, jid: from.String(), key: endpoint.Key{Domain: from.Domainpart(), ID: from.Localpart()}}
}

// Key implements feature.Client. Its ID is empty for the component itself.
func (v *visitor) Key() endpoint.Key { return v.key }

// JID implements feature.Client: the address as the component wrote it.
func (v *visitor) JID() string { return v.jid }

// Send implements feature.Client.
func (v *visitor) Send(raw []byte) bool { return v.stream.deliver(raw, v.jid) }

// SendMessage implements feature.Client.
func (v *visitor) SendMessage(raw []byte, _ *feature.Copies) bool { return v.Send(raw) }

// SendPresence implements feature.Client.
func (v *visitor) SendPresence(_ string, raw []byte) { v.Send(raw) }

// State implements feature.Client. It lasts as long as the stanza.
func (v *visitor) State() *feature.State { return &v.state }
