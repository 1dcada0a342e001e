package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// Item is one contact.
type Item struct {
	JID    string // bare
	Name   string
	Groups []string
	State
}

// Roster is what a roster get returns. The zero Version is that of an account whose roster was never changed; every change gives a greater one, over the deletion of
// the account as well (RFC 6121 section 2.6).
type Roster struct {
	Version int64
	Items   []Item // in the order of their JIDs
}

// Request is a subscription request that waits for the owner's answer.
type Request struct {
	JID    string // bare, who asks
	Stanza []byte
	At     time.Time
}

// Change is what one operation did to one contact of an account.
type Change struct {
	Item    Item     // afterwards; compare its State with Before to learn who has gained or lost presence
	Before  State    // before
	Listed  bool     // it is in the roster afterwards
	Push    bool     // the roster changed: push the item to interested resources, or its removal where Listed is false
	Version int64    // of the roster after a Push
	Pass    bool     // outbound: send the stanza to the contact; inbound: deliver it to the owner's available resources
	Reply   Presence // inbound: send this to the contact on behalf of the owner; Send has done it already
}

// Exchange is what a presence of a subscription did to both parties.
type Exchange struct {
	Owner   Change   // of the sender's account
	Local   bool     // the contact has an account here: its part is done, in the same transaction
	Contact Change   // of the contact's account, if Local
	Answer  Presence // deliver this to the owner's available resources as if the contact had sent it: its server has answered; 0: nothing
}

// Removal is what the removal of an item did to both parties.
type Removal struct {
	Owner   Change
	Send    []Presence // for the contact
	Local   bool       // the contact has an account here: its part is done, in the same transaction
	Contact Change     // of the contact's account, if Local
	Deliver []Presence // which of Send go to the contact's available resources, if Local
}

// Roster returns the items and the version of a roster. For an account that never had contacts it reads memory alone, and so do Contact and Pending.
func (s *Service) Roster(ctx context.Context, k endpoint.Key) (Roster, error) {
	if s.lacks(k, holdsContacts) {
		return Roster{}, nil
	}
	return s.store.Roster(ctx, k)
}

// Contact returns one contact, whether in the roster or not: the zero State and false for a stranger.
func (s *Service) Contact(ctx context.Context, k endpoint.Key, jid string) (Item, bool, error) {
	if s.lacks(k, holdsContacts) {
		return Item{}, false, nil
	}
	return s.store.Contact(ctx, k, jid)
}

// Pending returns the subscription requests that wait, oldest first.
func (s *Service) Pending(ctx context.Context, k endpoint.Key) ([]Request, error) {
	if s.lacks(k, holdsContacts) {
		return nil, nil
	}
	return s.store.Requests(ctx, k)
}

// SetItem adds an item to the roster or changes its name and groups (RFC 6121 sections 2.3, 2.4); its subscription stays. Errors: ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) SetItem(ctx context.Context, k endpoint.Key, jid, name string, groups []string) (Change, error) {
	if err := checkItem(k, jid, name, groups); err != nil {
		return Change{}, err
	}
	var m *move
	err := s.change(ctx, k, holdsContacts, func(tx Tx) (err error) {
		if m, err = begin(tx, jid); err != nil {
			return err
		}
		m.after.Name, m.after.Groups, m.after.Listed, m.touched = name, groups, true, true
		return s.finish(m)
	})
	if err != nil {
		return Change{}, err
	}
	return m.change, nil
}

// Outbound applies a presence that the owner sends to a contact without an account here. Errors: ErrInvalid, ErrTooLarge, ErrFull.
func (s *Service) Outbound(ctx context.Context, k endpoint.Key, contact string, p Presence) (Change, error) {
	return s.advance(ctx, k, contact, func(m *move) { m.outbound(p) })
}

// Inbound applies a presence that a contact without an account here sends; the stanza of a request is kept until it is answered. Errors: ErrInvalid, ErrTooLarge,
// ErrFull.
func (s *Service) Inbound(ctx context.Context, k endpoint.Key, contact string, p Presence, stanza []byte) (Change, error) {
	if err := checkBytes("a subscription request", len(stanza), MaxRequestBytes); err != nil {
		return Change{}, err
	}
	return s.advance(ctx, k, contact, func(m *move) { m.inbound(p, stanza) })
}

func (s *Service) advance(ctx context.Context, k endpoint.Key, contact string, step func(*move)) (Change, error) {
	if err := checkContact(k, contact); err != nil {
		return Change{}, err
	}
	var m *move
	err := s.change(ctx, k, holdsContacts, func(tx Tx) (err error) {
		if m, err = begin(tx, contact); err != nil {
			return err
		}
		step(m)
		return s.finish(m)
	})
	if err != nil {
		return Change{}, err
	}
	return m.change, nil
}

// Send is Outbound, and where the contact has an account here its Inbound and the answer that it may give, all in one transaction: between two accounts here, who
// has `to` always meets `from`, whatever their sessions do at the same time. The stanza is the one that the contact gets. To ask a contact that blocks
// the owner is to ask somebody who has no account here (XEP-0191 section 3.3). Errors: ErrInvalid, ErrTooLarge, ErrFull of either account.
func (s *Service) Send(ctx context.Context, k endpoint.Key, contact string, p Presence, stanza []byte) (Exchange, error) {
	if err := checkContact(k, contact); err != nil {
		return Exchange{}, err
	}
	if err := checkBytes("a subscription request", len(stanza), MaxRequestBytes); err != nil {
		return Exchange{}, err
	}
	var x Exchange
	err := s.changeBoth(ctx, k, contact, &x.Local, func(tx Tx) error {
		x = Exchange{}
		owner, err := begin(tx, contact)
		if err != nil {
			return err
		}
		owner.outbound(p)
		other, err := counterpart(tx, k, contact)
		if err != nil {
			return err
		}
		if p == Subscribe && s.ignores(k, contact) {
			other = nil
		}
		if x.Local = other != nil; x.Local && owner.change.Pass {
			other.inbound(p, stanza)
			x.Answer = owner.answered(other.change.Reply)
		}
		if err := s.finish(owner, other); err != nil {
			return err
		}
		x.Owner = owner.change
		if other != nil {
			x.Contact = other.change
		}
		return nil
	})
	if err != nil {
		return Exchange{}, err
	}
	return x, nil
}

// RemoveItem removes an item, and with it every subscription and request between the two (RFC 6121 section 2.5). Errors: ErrInvalid, ErrNoItem.
func (s *Service) RemoveItem(ctx context.Context, k endpoint.Key, contact string) (Removal, error) {
	if err := checkContact(k, contact); err != nil {
		return Removal{}, err
	}
	var r Removal
	err := s.changeBoth(ctx, k, contact, &r.Local, func(tx Tx) error {
		r = Removal{}
		owner, err := begin(tx, contact)
		if err != nil {
			return err
		}
		if !owner.before.Listed {
			return ErrNoItem
		}
		r.Send = Farewell(owner.before.State)
		owner.after = Contact{Item: Item{JID: contact}}
		other, err := counterpart(tx, k, contact)
		if err != nil {
			return err
		}
		if r.Local = other != nil; r.Local {
			for _, p := range r.Send {
				if other.inbound(p, nil); other.change.Pass {
					r.Deliver = append(r.Deliver, p)
				}
			}
		}
		if err := s.finish(owner, other); err != nil {
			return err
		}
		r.Owner = owner.change
		if other != nil {
			r.Contact = other.change
		}
		return nil
	})
	if err != nil {
		return Removal{}, err
	}
	return r, nil
}

// changeBoth is change of the contacts of two accounts; both says afterwards whether the other is there.
func (s *Service) changeBoth(ctx context.Context, k endpoint.Key, contact string, both *bool, step func(Tx) error) error {
	other, _ := local(k, contact)
	return s.noting(ctx, k, step, func() {
		s.cache.note(k, holdsContacts)
		if *both {
			s.cache.note(other, holdsContacts)
		}
	})
}

// ignores reports whether the contact has an account here that blocks this one.
func (s *Service) ignores(k endpoint.Key, contact string) bool {
	other, ok := local(k, contact)
	return ok && s.IsBlocked(other, k.JID())
}

// counterpart begins the contact's part, or returns nil if the contact has no account here.
func counterpart(tx Tx, k endpoint.Key, contact string) (*move, error) {
	other, ok := local(k, contact)
	if !ok {
		return nil, nil
	}
	theirs, found, err := tx.Other(other)
	if err != nil || !found {
		return nil, err
	}
	return begin(theirs, k.JID())
}

func checkContact(k endpoint.Key, jid string) error {
	if jid == k.JID() {
		return fmt.Errorf("%w: an account is no contact of its own", ErrInvalid)
	}
	return checkBare(jid)
}

func checkItem(k endpoint.Key, jid, name string, groups []string) error {
	if err := checkContact(k, jid); err != nil {
		return err
	}
	if err := checkBytes("a name", len(name), MaxNameBytes); err != nil {
		return err
	}
	if err := checkBytes("a name with its groups", len(name)+bytesOf(groups), MaxItemBytes); err != nil {
		return err
	}
	if len(groups) > MaxGroups {
		return fmt.Errorf("%w: an item is in %d groups, at most %d are allowed", ErrInvalid, len(groups), MaxGroups)
	}
	for i, g := range groups {
		if g == "" || slices.Contains(groups[:i], g) {
			return fmt.Errorf("%w: a group is empty or there twice", ErrInvalid)
		}
		if err := checkBytes("a group", len(g), MaxNameBytes); err != nil {
			return err
		}
	}
	return nil
}
