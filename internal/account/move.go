package account

import (
	"slices"
	"time"
)

// Contact is one contact as it is stored: a roster item, or somebody whose request waits.
type Contact struct {
	Item
	Listed bool      // in the roster
	Stanza []byte    // of the request that waits
	Asked  time.Time // when it came
}

// move is a change of one contact on its way: begun, changed in memory, and written by finish once every part of it is known to be allowed.
type move struct {
	tx            Tx
	before, after Contact
	touched       bool // push the item even if it is as it was
	change        Change
}

// begin reads a contact of the account of tx.
func begin(tx Tx, jid string) (*move, error) {
	c, err := tx.Contact(jid)
	if err != nil {
		return nil, err
	}
	c.JID = jid
	return &move{tx: tx, before: c, after: c}, nil
}

// outbound applies a presence that the account's owner sends. Whom the owner asks or approves gets into the roster.
func (m *move) outbound(p Presence) {
	step := Outbound(m.after.State, p)
	m.after.State, m.change.Pass = step.State, step.Pass
	s := step.State
	m.after.Listed = m.after.Listed || s.PendingOut || s.Approved || s.Subscription != None
	m.forget()
}

// inbound applies a presence that the contact sends.
func (m *move) inbound(p Presence, stanza []byte) {
	step := Inbound(m.after.State, p)
	if step.State.PendingIn && !m.after.PendingIn {
		m.after.Stanza, m.after.Asked = stanza, m.tx.Now()
	}
	m.after.State, m.change.Pass, m.change.Reply = step.State, step.Pass, step.Reply
	m.forget()
}

// answered applies what the contact's server answered to an outbound presence and returns what of it the owner gets.
func (m *move) answered(p Presence) Presence {
	step := Inbound(m.after.State, p)
	m.after.State = step.State
	if !step.Pass {
		return 0
	}
	return p
}

// forget drops a request that is answered or taken back.
func (m *move) forget() {
	if !m.after.PendingIn {
		m.after.Stanza, m.after.Asked = nil, time.Time{}
	}
}

// shown reports whether the roster shows something else than before.
func (m *move) shown() bool {
	b, a := m.before, m.after
	return b.Listed != a.Listed || a.Listed && (m.touched || b.Name != a.Name || !slices.Equal(b.Groups, a.Groups) || b.Subscription != a.Subscription ||
		b.PendingOut != a.PendingOut || b.Approved != a.Approved)
}

// finish checks the bounds of all moves and then writes them. Nil moves count for nothing.
func (s *Service) finish(moves ...*move) error {
	for _, m := range moves {
		if m != nil {
			if err := s.checkRoom(m); err != nil {
				return err
			}
		}
	}
	for _, m := range moves {
		if m != nil {
			if err := m.write(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) checkRoom(m *move) error {
	lists, asks := m.after.Listed && !m.before.Listed, m.after.PendingIn && !m.before.PendingIn
	if !lists && !asks {
		return nil
	}
	listed, asking, err := m.tx.CountContacts()
	if err != nil {
		return err
	}
	if lists && listed >= s.cfg.RosterItems || asks && asking >= maxRequests {
		return ErrFull
	}
	return nil
}

func (m *move) write() error {
	c := &m.change
	c.Item, c.Before, c.Listed, c.Push = m.after.Item, m.before.State, m.after.Listed, m.shown()
	switch {
	case !m.after.Listed && m.after.State == State{}:
		if !m.before.Listed && m.before.State == (State{}) {
			return nil
		}
		if err := m.tx.DeleteContact(m.after.JID); err != nil {
			return err
		}
	case c.Push || m.before.State != m.after.State:
		if err := m.tx.SaveContact(&m.after); err != nil {
			return err
		}
	}
	if !c.Push {
		return nil
	}
	var err error
	c.Version, err = m.tx.NextRosterVersion()
	return err
}
