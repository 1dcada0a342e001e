package account

// Subscription is who gets whose presence, in the words of RFC 6121 section 2.1.2.5 seen from the roster's owner.
type Subscription uint8

// To means that the owner gets the contact's presence, From that the contact gets the owner's; Both is both bits.
const (
	None Subscription = 0
	To   Subscription = 1
	From Subscription = 2
	Both Subscription = To | From
)

// String returns the value of the attribute subscription.
func (s Subscription) String() string {
	return [...]string{"none", "to", "from", "both"}[s&Both]
}

// Presence is a presence stanza that manages subscriptions (RFC 6121 section 3). The zero value is none of them.
type Presence uint8

// The types of such presence.
const (
	Subscribe Presence = iota + 1
	Subscribed
	Unsubscribe
	Unsubscribed
)

// String returns the value of the attribute type, empty for the zero value.
func (p Presence) String() string {
	if p > Unsubscribed {
		return ""
	}
	return [...]string{"", "subscribe", "subscribed", "unsubscribe", "unsubscribed"}[p]
}

// State is the state of one contact in an account (RFC 6121 appendix A.1). The zero value is that of a stranger.
type State struct {
	Subscription Subscription
	PendingOut   bool // the owner asked and has no answer: ask='subscribe'
	PendingIn    bool // the contact asked and has no answer
	Approved     bool // the owner agreed before the contact asked (section 3.4)
}

// Step is what one presence of a subscription does.
type Step struct {
	State State    // afterwards
	Pass  bool     // outbound: the stanza goes to the contact; inbound: it goes to the owner's available resources
	Reply Presence // inbound: what the server answers to the contact on behalf of the owner; 0: nothing
}

// Outbound is the state machine of RFC 6121 appendix A.2 for presence that the owner sends, with pre-approval (section 3.4.2). It is total: a presence that changes
// nothing leaves the state as it is.
func Outbound(s State, p Presence) Step {
	switch p {
	case Subscribe:
		if s.Subscription&To == 0 {
			s.PendingOut = true
		}
		return Step{State: s, Pass: true}
	case Unsubscribe:
		s.Subscription &^= To
		s.PendingOut = false
		return Step{State: s, Pass: true}
	case Subscribed:
		return approve(s)
	case Unsubscribed:
		pass := s.PendingIn || s.Subscription&From != 0
		s.Subscription &^= From
		s.PendingIn, s.Approved = false, false
		return Step{State: s, Pass: pass}
	}
	return Step{State: s}
}

// approve is the owner's agreement: to a request, or to one that may come.
func approve(s State) Step {
	switch {
	case s.PendingIn:
		s.PendingIn = false
		s.Subscription |= From
		return Step{State: s, Pass: true}
	case s.Subscription&From == 0:
		s.Approved = true
	}
	return Step{State: s}
}

// Inbound is the state machine of RFC 6121 appendix A.3 for presence that the contact sends. It is total, as Outbound is.
func Inbound(s State, p Presence) Step {
	switch p {
	case Subscribe:
		return request(s)
	case Unsubscribe:
		pass := s.PendingIn || s.Subscription&From != 0
		s.Subscription &^= From
		s.PendingIn = false
		return Step{State: s, Pass: pass}
	case Subscribed:
		if !s.PendingOut {
			return Step{State: s}
		}
		s.PendingOut = false
		s.Subscription |= To
		return Step{State: s, Pass: true}
	case Unsubscribed:
		pass := s.PendingOut || s.Subscription&To != 0
		s.Subscription &^= To
		s.PendingOut = false
		return Step{State: s, Pass: pass}
	}
	return Step{State: s}
}

// request is the contact's wish to get the owner's presence: the server answers itself what the owner has answered before (section 3.1.3).
func request(s State) Step {
	switch {
	case s.Subscription&From != 0:
		return Step{State: s, Reply: Subscribed}
	case s.Approved:
		s.PendingIn = false
		s.Subscription |= From
		return Step{State: s, Reply: Subscribed}
	case s.PendingIn:
		return Step{State: s}
	}
	s.PendingIn = true
	return Step{State: s, Pass: true}
}

// Farewell is what the owner's server sends to a contact that is removed from the roster, so that nothing of the subscriptions is left (RFC 6121 section 2.5.2).
func Farewell(s State) []Presence {
	var send []Presence
	if s.Subscription&To != 0 || s.PendingOut {
		send = append(send, Unsubscribe)
	}
	if s.Subscription&From != 0 || s.PendingIn {
		send = append(send, Unsubscribed)
	}
	return send
}
