package agent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

// inbound is a push as it came.
type inbound struct {
	push    Push
	message string // id for the receipt
	refused string // reason why its payload cannot be handled; empty: it can
}

// message handles a message: a push from the server, or nothing of interest. An error ends the session.
func (s *session) message(st *scan.Stanza) error {
	if !strings.EqualFold(string(st.From()), s.domain) || string(st.Type()) == "error" {
		return nil // only the server may push; others could forge commands
	}
	el := st.Element().Child(nsPush, "push")
	if !el.Exists() {
		return nil
	}
	in := parsePush(el)
	if !validID(in.push.ID) || len(in.push.Type) > maxNameBytes {
		s.log.Warn("push without usable id or type ignored")
		return nil
	}
	in.message = string(st.ID())
	if in.message == "" {
		in.message = in.push.ID
	}
	return s.receive(in)
}

// parsePush reads the element of SPEC section 6. It owns its memory.
func parsePush(el scan.Element) inbound {
	id, _ := el.Attr("id")
	kind, _ := el.Attr("type")
	in := inbound{push: Push{ID: string(id), Type: string(kind)}}
	if text, ok := el.Attr("expires"); ok {
		in.push.Expires, _ = time.Parse(time.RFC3339, string(text)) // an unreadable time is none: the server judges expiry as well
	}
	if data := el.Child(nsPush, "data"); data.Exists() {
		in.push.Payload, in.refused = decodeData(data.Text())
		in.push.Binary = true
	} else if text := el.Child(nsJSON, "json"); text.Exists() {
		in.push.Payload, in.refused = decodeJSON(text.Text())
	}
	return in
}

func decodeData(text string) (payload []byte, refused string) {
	payload, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, ReasonBadPayload
	case len(payload) > maxPayloadBytes:
		return nil, ReasonPayloadTooLarge
	}
	return payload, ""
}

func decodeJSON(text string) (payload []byte, refused string) {
	if len(text) > maxPayloadBytes {
		return nil, ReasonPayloadTooLarge
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return nil, ReasonBadPayload
	}
	return b.Bytes(), ""
}

// receive takes a push: journal, receipt, handler. When the backlog is full it waits without a receipt, so the server keeps it too and sends
// no more than its window.
func (s *session) receive(in inbound) error {
	a := s.agent
	if a.journal.Backlog() >= a.backlog && !a.journal.Knows(in.push.ID) {
		s.hold(in)
		return nil
	}
	now := time.Now()
	known, err := a.journal.Receive(in.push, now)
	if err != nil {
		return err
	}
	s.receipt(in.message)
	switch {
	case known:
		return s.result(in.push.ID, true)
	case in.refused != "":
		if err := a.journal.Done(in.push.ID, failed(failure{Reason: in.refused}), now); err != nil {
			return err
		}
		return s.result(in.push.ID, false)
	}
	s.log.Debug("push received", telemetry.Push(in.push.ID), telemetry.PushType(in.push.Type))
	a.work.Add(in.push.ID)
	return nil
}

func (s *session) hold(in inbound) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == maxHeld {
		s.log.Warn("push ignored: the server sent more than its window", telemetry.Push(in.push.ID))
		return
	}
	s.held = append(s.held, in)
}

// release takes a held push, after another one was finished.
func (s *session) release() error {
	s.mu.Lock()
	if len(s.held) == 0 {
		s.mu.Unlock()
		return nil
	}
	in := s.held[0]
	s.held = s.held[1:]
	s.mu.Unlock()
	return s.receive(in)
}
