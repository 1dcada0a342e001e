package remote

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/channel"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// Technician is a technician's connection, as its session sees it. All methods may be called concurrently.
type Technician struct {
	live   *live
	from   netip.Addr
	send   func(signalling.Message) bool
	closed func(reason string)
	spoke  bool // of the task that runs
}

// Why a technician's connection is let go, beside the names of the Reasons.
const (
	LetGoReplaced = "replaced" // another connection attached to the session
	LetGoSlow     = "slow"     // it did not take what was sent to it
)

// Attach puts a technician's connection in the place of the one before, if it shows what lets it in, and sends the session's State on it. from is where the technician is seen.
//
// send is called for each message to the technician, in order, one call at a time, also before Attach returns; it must not block, and is false if the message is not taken: then
// the connection is let go. closed is called at most once, when it is let go, after the last send; it must not block either, and there is nothing more to do for the caller but
// to close what it has.
//
// Errors: ErrTicket; *EndedError, where the session was the caller's; ErrFlood; ErrUnavailable; those of the store.
func (s *Service) Attach(ctx context.Context, a signalling.Attach, from netip.Addr, send func(signalling.Message) bool, closed func(reason string)) (*Technician, error) {
	from = from.Unmap().WithZone("")
	l, err := s.attachable(a, from)
	if err != nil {
		return nil, err
	}
	t := &Technician{live: l, from: from, send: send, closed: closed}
	if err := l.do(ctx, func() error { return l.attach(t, a) }); err != nil {
		t.Detach() // it may be attached when nobody waits any more
		return nil, err
	}
	return t, nil
}

// attachable finds the session that an Attach names. One that there is not is as good as one that lets nobody in.
func (s *Service) attachable(a signalling.Attach, from netip.Addr) (*live, error) {
	l, err := s.spokenOf(a)
	if err == nil || err == ErrUnavailable {
		return l, err
	}
	s.refuse(entryOf("", audit.Stranger(from), audit.SessionRefused, a.ID, refusedDetail{Why: refusedUnknown}), refusedUnknown)
	return nil, ErrTicket
}

func (l *live) attach(t *Technician, a signalling.Attach) error {
	if why := l.admits(a, time.Now()); why != "" {
		l.service.refuse(l.entry(audit.Stranger(t.from), audit.SessionRefused, refusedDetail{Why: why}), why)
		return ErrTicket
	}
	if err := l.open(); err != nil {
		return err
	}
	if !l.attaches.take(time.Now(), attachesPerMinute) {
		return ErrFlood
	}
	before := l.record.Secrets
	secret := l.useTicket(a)
	entry := l.entry(l.technicianActor(), audit.SessionAttached, attachedDetail{From: t.from.String(), Again: a.Reattach != ""})
	if err := l.save(&entry, false); err != nil {
		l.record.Secrets = before
		return err
	}
	l.letGo(LetGoReplaced)
	l.tech, l.left, l.acted = t, time.Time{}, time.Now()
	l.observe(t.from)
	l.watching(l.record.Technician.Name)
	l.told = l.stateMessage()
	m := l.told
	m.Reattach, m.Servers = secret, l.credentials()[turnsession.B]
	l.say(m)
	l.note(nil, false)
	return nil
}

// letGo lets the technician's connection go, if there is one, and gives the technician time to come back.
func (l *live) letGo(reason string) {
	t := l.tech
	if t == nil {
		return
	}
	l.tech, l.left = nil, time.Now()
	t.closed(reason)
	l.watching("")
}

// Detach says that the connection has ended. It does not block.
func (t *Technician) Detach() {
	l := t.live
	l.post(func() {
		if l.tech != t {
			return
		}
		l.tech, l.left = nil, time.Now()
		l.watching("")
		l.note(nil, false)
	})
}

// Take takes what the technician says, and returns when that is worked on, so that whoever sends faster waits. Errors: ErrMessage, ErrReplaced, *EndedError, ErrUnavailable, that
// of ctx; but for ErrMessage, which the relay's own refusal is wrapped in, the connection is of no more use.
func (t *Technician) Take(ctx context.Context, m signalling.Message) error {
	l := t.live
	if m.SessionID() != l.id.String() {
		t.Refused(signalling.NotParty)
		return ErrMessage
	}
	return l.do(ctx, func() error {
		if err := l.open(); err != nil {
			return err
		}
		if l.tech != t {
			return ErrReplaced
		}
		if !t.spoke {
			t.spoke, l.record.Secrets.Before = true, audit.Hash{}
		}
		return l.take(m)
	})
}

// take works on a message of the technician.
func (l *live) take(m signalling.Message) error {
	if end, ok := m.(signalling.End); ok {
		l.endNoted(among(end.Reason, technicianReasons), end.Detail, l.technicianActor())
		return nil
	}
	if l.record.Accepted.IsZero() {
		return ErrMessage
	}
	switch m := m.(type) {
	case signalling.SDP:
		return l.negotiate(m)
	case signalling.Candidate:
		if l.fresh(m.Peer) && l.allows(m.Candidate) {
			_ = l.tell(m)
		}
		return nil
	case signalling.Path:
		if m.Rung != "" && !slices.Contains(rungs, m.Rung) {
			return ErrMessage
		}
		l.actedBefore(m.Idle)
		_ = l.tell(m)
		return nil
	case signalling.Relay:
		return l.join(m)
	}
	return ErrMessage
}

// negotiate passes an offer of WebRTC on.
func (l *live) negotiate(m signalling.SDP) error {
	if m.Kind != "offer" || m.Peer < 1 || l.record.Transport == signalling.TransportRelayOnly {
		return l.notAllowed()
	}
	if m.Peer < l.peer {
		l.service.drop(droppedOld)
		return nil
	}
	l.peer = m.Peer
	m.SDP = l.filterSDP(m.SDP)
	_ = l.tell(m)
	return nil
}

// fresh reports whether something is about the newest PeerConnection.
func (l *live) fresh(peer int) bool {
	if peer != l.peer {
		l.service.drop(droppedOld)
	}
	return peer == l.peer
}

// join gives both parties a leg each of a channel over the relay.
func (l *live) join(m signalling.Relay) error {
	if m.URL != "" || !l.mayRelay(m.Channel) {
		return l.notAllowed()
	}
	if !l.away.IsZero() || !l.relays.take(time.Now(), relaysPerMinute) {
		return ErrMessage
	}
	technician, endpoint, err := l.service.deps.Relay.Pair(l.id.String())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	entry := l.entry(l.technicianActor(), audit.SessionChannel, channelDetail{m.Channel, m.Number, signalling.RungRelay})
	l.note(&entry, false)
	m.URL = endpoint
	if err := l.tell(m); err != nil {
		return ErrMessage
	}
	m.URL = technician
	l.say(m)
	return nil
}

// mayRelay reports whether a channel may go over the relay: one of the session, and files alone where the rest may go through TURN only.
func (l *live) mayRelay(name string) bool {
	if l.record.Transport == signalling.TransportTURNOnly && name != channel.Files {
		return false
	}
	return name == channel.System || slices.Contains(l.record.Kinds, name)
}

// notAllowed notes that a technician asked for what the session does not allow.
func (l *live) notAllowed() error {
	l.service.refuse(l.entry(l.technicianActor(), audit.SessionRefused, refusedDetail{Why: refusedMessage}), refusedMessage)
	return ErrMessage
}
