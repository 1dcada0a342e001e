package push

import (
	"bytes"

	"signalbox/internal/endpoint"
)

// MessageType is the type of a push that is a message of XMPP. It is for people and lists: what a push is, Push.Message alone says.
const MessageType = "xmpp.message"

// MessagePayload makes the payload of such a push from the message as XML, which has the addresses that it will arrive with. name is its id, without line
// breaks; empty: it has none, and gets that of the push. What answers by a receipt names that id (XEP-0184 section 5.3).
func MessagePayload(name string, xml []byte) []byte {
	b := make([]byte, 0, len(name)+1+len(xml))
	return append(append(append(b, name...), '\n'), xml...)
}

// SplitMessage takes apart what MessagePayload made.
func (p Push) SplitMessage() (name string, xml []byte) {
	head, xml, _ := bytes.Cut(p.Payload, []byte{'\n'})
	return string(head), xml
}

// ownName is the id of a message that has one of its own.
func (p *Push) ownName() string {
	if !p.Message {
		return ""
	}
	name, _ := p.SplitMessage()
	return name
}

// Named finds the push whose message has this id of its own and is on its way to the endpoint's session, the oldest if there are several. It never blocks.
func (s *Service) Named(k endpoint.Key, name string) (ID, bool) {
	l := s.lane(k)
	if l == nil || name == "" {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var found ID
	for _, f := range l.flights {
		if f.name == name && f.phase != settling && (found == 0 || f.id < found) {
			found = f.id
		}
	}
	return found, found != 0
}
