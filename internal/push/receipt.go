package push

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"signalbox/internal/endpoint"
)

// MaxResultBytes bounds the JSON text of a result.
const MaxResultBytes = 64 << 10

// Receipt records that the endpoint has the push (XEP-0184). It never blocks. done is called once the change is durable, or with nil where there was nothing
// to change, and with an error where the receipt must not be confirmed (XEP-0198) because it is not kept. done must not block; it runs on a goroutine of the
// service, or, with ErrBusy or ErrStopped, before Receipt returns.
func (s *Service) Receipt(k endpoint.Key, id ID, done func(error)) {
	s.record(Transition{ID: id, To: Delivered, Key: k, At: time.Now()}, done)
}

// Result records that the endpoint handled the push, or failed to. It treats done as Receipt does, and keeps no reference to result. A result of more than
// MaxResultBytes, or one that is not JSON, is dropped, with ReasonResultDropped; nil means none.
//
// The reason of a failure is the member "reason" of a result that is an object, if it is 1 to 64 bytes of a-z, 0-9 and '_', and else ReasonFailed.
func (s *Service) Result(k endpoint.Key, id ID, ok bool, result json.RawMessage, done func(error)) {
	t := Transition{ID: id, To: Handled, Key: k, At: time.Now()}
	valid := len(result) <= MaxResultBytes && utf8.Valid(result) && json.Valid(result)
	if !ok {
		t.To, t.Reason = Failed, ReasonFailed
		if valid {
			t.Reason = failureReason(result)
		}
	}
	switch {
	case valid:
		t.Result = bytes.Clone(result)
	case len(result) > 0:
		t.Reason = ReasonResultDropped
	}
	s.record(t, done)
}

func failureReason(result json.RawMessage) string {
	var r struct {
		Reason json.RawMessage `json:"reason"`
	}
	var reason string
	if json.Unmarshal(result, &r) != nil || json.Unmarshal(r.Reason, &reason) != nil || !isReason(reason) {
		return ReasonFailed
	}
	return reason
}

func isReason(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

// record gives the place of a push in the window to the next one and writes its new state.
func (s *Service) record(t Transition, done func(error)) {
	w := write{t: t, done: func(o Outcome, err error) {
		if err == nil && !o.Found {
			s.m.unknown.Inc()
		}
		done(err)
	}}
	l := s.lane(t.Key)
	if l == nil {
		if err := s.scribe.offer(w); err != nil {
			done(err)
		}
		return
	}
	if err := s.offerOn(l, w); err != nil {
		done(err)
	}
}

func (s *Service) offerOn(l *lane, w write) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.held = true
	if f := l.findLocked(w.t.ID); f != nil {
		w.created = f.created
		if f.phase == handed { // an answer shows that it was written, also if we hear of the write later
			f.phase = written
			s.scribe.add(write{t: Transition{ID: w.t.ID, To: Sent, Key: l.key, At: w.t.At}, lazy: true})
		}
	}
	if err := s.scribe.offer(w); err != nil {
		return err
	}
	l.holdLocked(w.t.ID)
	l.stalled = false
	s.kickLocked(l)
	return nil
}
