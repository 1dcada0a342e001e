package signalling

// Way is on which stretch of its way a message is: parties talk to the server alone, which hands on what concerns the other one. Several may be joined by |.
type Way uint8

// The stretches, each to or from the server.
const (
	FromTechnician Way = 1 << iota
	FromEndpoint
	ToTechnician
	ToEndpoint

	both = ToTechnician | ToEndpoint
	all  = FromTechnician | FromEndpoint | both
)

// row is one kind of message: where it may go, and how its fields are read and written.
type row struct {
	name  string
	ways  Way
	read  func(*form) Message
	write func(*form, Message)
}

// rows are all kinds of messages; never written.
var rows = [...]row{
	of(FromTechnician, (*Attach).fields),
	of(ToTechnician, (*State).fields),
	of(ToEndpoint, (*Offer).fields),
	of(both, (*ICE).fields),
	of(FromEndpoint|ToTechnician, (*Consent).fields),
	of(FromEndpoint|ToTechnician, (*Accept).fields),
	of(FromEndpoint|ToTechnician, (*Deny).fields),
	of(all, (*SDP).fields),
	of(all, (*Candidate).fields),
	of(FromTechnician|both, (*Relay).fields),
	of(all, (*Path).fields),
	of(FromEndpoint, (*Blocked).fields),
	of(both, (*Restarted).fields),
	of(all, (*End).fields),
}

// of makes the row of a message.
func of[M Message](ways Way, fields func(*M, *form)) row {
	var none M
	return row{
		name: none.Name(),
		ways: ways,
		read: func(f *form) Message {
			var m M
			fields(&m, f)
			return m
		},
		write: func(f *form, m Message) {
			v, ok := m.(M)
			if !ok {
				f.fail(UnknownType, "", "it is no message of this package")
				return
			}
			fields(&v, f)
		},
	}
}

func rowOf(name string) (row, bool) {
	for _, r := range rows {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}

// Names returns the names of all messages.
func Names() []string {
	names := make([]string, 0, len(rows))
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}

// Allowed returns nil if the message may go on one of these stretches, else an *Error with NotAllowed.
func Allowed(m Message, w Way) error {
	if waysOf(m)&w == 0 {
		return &Error{Code: NotAllowed, Detail: "this party may not say it"}
	}
	return nil
}

// waysOf returns where a message may go. The technician offers and the endpoint answers; the technician asks for a relay, and the server says where it is.
func waysOf(m Message) Way {
	switch m := m.(type) {
	case SDP:
		if m.Kind == SDPOffer {
			return FromTechnician | ToEndpoint
		}
		return FromEndpoint | ToTechnician
	case Relay:
		if m.URL == "" {
			return FromTechnician
		}
		return both
	}
	r, _ := rowOf(m.Name())
	return r.ways
}
