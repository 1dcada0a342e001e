package agent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
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

// receive takes a push. When the backlog is full it is held without a receipt, so the server keeps it too and sends no more than its window; so are
// those that come behind it, for the order. When too many are held the session ends: the server sends them again.
func (s *session) receive(in inbound) error {
	s.intake.Lock()
	defer s.intake.Unlock()
	if (len(s.held) == 0 && s.roomLocked()) || s.agent.journal.Knows(in.push.ID) {
		return s.takeLocked(in)
	}
	if len(s.held) == maxHeld {
		return fmt.Errorf("%w: %d wait for their handlers and %d for room", errOverrun, s.agent.backlog, maxHeld)
	}
	s.held = append(s.held, in)
	return nil
}

// release takes held pushes while there is room, after another one was finished.
func (s *session) release() error {
	s.intake.Lock()
	defer s.intake.Unlock()
	for len(s.held) > 0 && s.roomLocked() {
		in := s.held[0]
		s.held = s.held[1:]
		if err := s.takeLocked(in); err != nil {
			return err
		}
	}
	return nil
}

// roomLocked reports whether the backlog takes another push. The lock is kept until that one is in the journal or held: who finishes a push in
// between looks for held ones later.
func (s *session) roomLocked() bool { return s.agent.journal.Backlog() < s.agent.backlog }

// takeLocked takes a push: journal, receipt, handler.
func (s *session) takeLocked(in inbound) error {
	a := s.agent
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
