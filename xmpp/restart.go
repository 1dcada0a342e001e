package xmpp

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/kept"
)

// Carrier knows which pushes are on the way to sessions. Only Flush waits.
type Carrier interface {
	// Flush returns once what sessions have answered, and what was written to them, is durable.
	Flush(ctx context.Context) error
	// Carried returns what is on the way to the endpoint's leading session. Carry puts it there again when that was restored, and Drop into the queue when it was not.
	Carried(k endpoint.Key) []push.Carried
	Carry(k endpoint.Key, all []push.Carried)
	Drop(k endpoint.Key, all []push.Carried)
	// Wrote returns what is called when the write of a push that a restored session carries returned.
	Wrote(k endpoint.Key, id push.ID) func(time.Time)
}

// Shelf keeps sessions while the server does not run.
type Shelf interface {
	// Save reports which of them it has room for. With an error it keeps none.
	Save(all []kept.Session) (saved []bool, err error)
}

// flushWithin bounds the wait for the store before sessions are kept: what it has not taken by then is not acknowledged, and comes again.
const flushWithin = 5 * time.Second

// keep has the sessions that can be resumed kept over a restart, as many as there is room for, and ends all others. No stream is open any more.
func (s *Server) keep() {
	if s.deps.Shelf == nil {
		s.endAll(s.deps.Resumptions.All())
		return
	}
	s.flush()
	sessions, records := s.records()
	saved, err := s.deps.Shelf.Save(records)
	if err != nil {
		s.log.Error("sessions could not be kept; their endpoints must log in again", telemetry.Cause(err))
		saved = make([]bool, len(sessions))
	}
	var left []endpoint.Session
	for i, ok := range saved {
		if !ok {
			left = append(left, sessions[i])
		}
	}
	if len(sessions) > 0 {
		s.log.Info("sessions kept for the next start", telemetry.Count(len(sessions)-len(left)), telemetry.Dropped(len(left)))
	}
	s.endAll(left)
}

func (s *Server) endAll(all []endpoint.Session) {
	for _, left := range all {
		left.End(s.farewell())
	}
}

// flush waits for what is on its way from ended streams to the store and to other sessions.
func (s *Server) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	if s.deps.IM != nil {
		s.deps.IM.Flush(ctx)
	}
	if err := s.deps.Carrier.Flush(ctx); err != nil {
		s.log.Warn("the last answers of endpoints may come once more", telemetry.Cause(err))
	}
}

// records returns the sessions that can be resumed, those of one endpoint behind each other and the leading one last, with what is kept of each. Those that cannot, or
// are sent to another host, end.
func (s *Server) records() (sessions []endpoint.Session, records []kept.Session) {
	var messages feature.CopyNumbers
	seen := make(map[endpoint.Key]bool)
	for _, one := range s.deps.Resumptions.All() {
		k := one.(*session).key
		if seen[k] {
			continue
		}
		seen[k] = true
		all := s.deps.Registry.AppendSessions(nil, k)
		slices.Reverse(all)
		for i, other := range all {
			sess := other.(*session)
			record, ok := sess.record(&messages)
			if !ok || s.deps.OtherHost != "" {
				sess.End(s.farewell())
				continue
			}
			if p, live := s.deps.Registry.Live(k); live {
				record.Since, record.Reason = p.Since, p.Reason
			}
			if i == len(all)-1 {
				record.Pushes = s.deps.Carrier.Carried(k)
			}
			sessions, records = append(sessions, sess), append(records, record)
		}
	}
	return sessions, records
}

// record is what is kept of the session; false: it cannot be resumed.
func (s *session) record(messages *feature.CopyNumbers) (kept.Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Name != "" || s.stream != nil || s.expiry == nil {
		return kept.Session{}, false
	}
	r := kept.Session{
		Domain: s.key.Domain, Endpoint: s.key.ID, Resource: s.facts.Resource, ID: s.sm.id, Until: s.expiry.at,
		Acked: s.sm.acked, Received: s.sm.handledLocked(), Available: s.available,
		Bound: s.facts.Bound, Heard: s.heard, Client: s.facts.Client,
		Remote: s.facts.Remote, Via: s.facts.Via, TLS: s.facts.TLSVersion,
	}
	for _, o := range s.sm.unacked {
		r.Unacked = append(r.Unacked, o.record(messages))
	}
	if s.state != nil {
		state := s.state.Keep()
		r.State = &state
	}
	return r, true
}

func (o *outbound) record(messages *feature.CopyNumbers) kept.Stanza {
	st := kept.Stanza{Raw: o.raw, Copies: messages.Number(o.copies)}
	if !o.called.Load() {
		st.Push = push.ID(o.ref)
	}
	return st
}

// Restore makes the sessions that were kept resumable again, and returns how many. Those whose time is over, or that find no place, end: what was on the way to them
// comes back. Call it before connections come.
func (s *Server) Restore(all []kept.Session) (restored int) {
	var messages feature.NumberedCopies
	var late []*session
	for i := range all {
		for _, st := range all[i].Unacked {
			messages.Count(st.Copies)
		}
	}
	for i := range all {
		r := &all[i]
		sess := s.revive(r, &messages)
		if !r.Fresh(time.Now()) || !s.deps.Registry.Restore(sess.key, sess, r.Available, r.Since, endpoint.ReasonNamed(r.Reason)) {
			late = append(late, sess)
			s.deps.Carrier.Drop(sess.key, r.Pushes)
			continue
		}
		restored++
		s.metrics.restored.Inc()
		s.deps.Resumptions.Keep(r.ID, sess)
		s.deps.Carrier.Carry(sess.key, r.Pushes)
		sess.await(r.Until)
	}
	for _, sess := range late { // when all are there whom it may concern
		sess.finish(endpoint.ReasonResumeExpired)
	}
	return restored
}

// revive makes a session without a stream of what was kept.
func (s *Server) revive(r *kept.Session, messages *feature.NumberedCopies) *session {
	k := r.Key()
	sess := &session{
		srv: s, key: k, jid: k.JID() + "/" + r.Resource, bare: k.JID(),
		facts: endpoint.Facts{Resource: r.Resource, Client: r.Client, Remote: r.Remote, Via: r.Via, TLSVersion: r.TLS, Bound: r.Bound},
		known: true, available: r.Available, heard: r.Heard,
		sm: management{enabled: true, resumable: true, id: r.ID, acked: r.Acked, received: r.Received},
	}
	for _, st := range r.Unacked {
		o := &outbound{raw: st.Raw, ref: int64(st.Push), copies: messages.Copies(st.Copies)}
		if st.Push != 0 {
			o.written = s.deps.Carrier.Wrote(k, st.Push)
		}
		sess.sm.sentLocked(o)
	}
	if r.State != nil {
		sess.state = feature.Revive(*r.State)
	}
	return sess
}

// await ends the session unless it is resumed before.
func (s *session) await(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Name == "" && s.stream == nil {
		s.startExpiryLocked(until)
	}
}
