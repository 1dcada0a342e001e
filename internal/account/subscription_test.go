package account

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The nine states of RFC 6121 appendix A.1.
var (
	none      = State{}
	noneOut   = State{PendingOut: true}
	noneIn    = State{PendingIn: true}
	noneOutIn = State{PendingOut: true, PendingIn: true}
	to        = State{Subscription: To}
	toIn      = State{Subscription: To, PendingIn: true}
	from      = State{Subscription: From}
	fromOut   = State{Subscription: From, PendingOut: true}
	both      = State{Subscription: Both}
)

func approved(s State) State {
	s.Approved = true
	return s
}

// row is one line of the tables of appendix A: whether the stanza passes, and the new state.
type row struct {
	before State
	pass   bool
	after  State
}

const yes, no = true, false

var outbound = map[Presence][]row{
	Subscribe: {
		{none, yes, noneOut}, {noneOut, yes, noneOut}, {noneIn, yes, noneOutIn}, {noneOutIn, yes, noneOutIn}, {to, yes, to}, {toIn, yes, toIn},
		{from, yes, fromOut}, {fromOut, yes, fromOut}, {both, yes, both},
	},
	Unsubscribe: {
		{none, yes, none}, {noneOut, yes, none}, {noneIn, yes, noneIn}, {noneOutIn, yes, noneIn}, {to, yes, none}, {toIn, yes, noneIn},
		{from, yes, from}, {fromOut, yes, from}, {both, yes, from},
	},
	Subscribed: {
		{none, no, approved(none)}, {noneOut, no, approved(noneOut)}, {noneIn, yes, from}, {noneOutIn, yes, fromOut}, {to, no, approved(to)}, {toIn, yes, both},
		{from, no, from}, {fromOut, no, fromOut}, {both, no, both},
	},
	Unsubscribed: {
		{none, no, none}, {noneOut, no, noneOut}, {noneIn, yes, none}, {noneOutIn, yes, noneOut}, {to, no, to}, {toIn, yes, to},
		{from, yes, none}, {fromOut, yes, noneOut}, {both, yes, to},
		{approved(none), no, none}, {approved(noneOut), no, noneOut}, {approved(to), no, to}, {approved(from), yes, none}, {approved(both), yes, to},
	},
}

var inbound = map[Presence][]row{
	Subscribe: {
		{none, yes, noneIn}, {noneOut, yes, noneOutIn}, {noneIn, no, noneIn}, {noneOutIn, no, noneOutIn}, {to, yes, toIn}, {toIn, no, toIn},
		{from, no, from}, {fromOut, no, fromOut}, {both, no, both},
		{approved(none), no, approved(from)}, {approved(noneOut), no, approved(fromOut)}, {approved(to), no, approved(both)},
	},
	Unsubscribe: {
		{none, no, none}, {noneOut, no, noneOut}, {noneIn, yes, none}, {noneOutIn, yes, noneOut}, {to, no, to}, {toIn, yes, to},
		{from, yes, none}, {fromOut, yes, noneOut}, {both, yes, to}, {approved(both), yes, approved(to)},
	},
	Subscribed: {
		{none, no, none}, {noneOut, yes, to}, {noneIn, no, noneIn}, {noneOutIn, yes, toIn}, {to, no, to}, {toIn, no, toIn},
		{from, no, from}, {fromOut, yes, both}, {both, no, both},
	},
	Unsubscribed: {
		{none, no, none}, {noneOut, yes, none}, {noneIn, no, noneIn}, {noneOutIn, yes, noneIn}, {to, yes, none}, {toIn, yes, noneIn},
		{from, no, from}, {fromOut, yes, from}, {both, yes, from},
	},
}

func TestTablesOfAppendixA(t *testing.T) {
	for _, machine := range []struct {
		name  string
		step  func(State, Presence) Step
		table map[Presence][]row
	}{{"Outbound", Outbound, outbound}, {"Inbound", Inbound, inbound}} {
		for p, rows := range machine.table {
			for _, r := range rows {
				if got := machine.step(r.before, p); got.State != r.after || got.Pass != r.pass {
					t.Errorf("%s(%+v, %s) = %+v, want %+v, pass %v", machine.name, r.before, p, got, r.after, r.pass)
				}
			}
		}
		if got := machine.step(toIn, 0); got != (Step{State: toIn}) {
			t.Errorf("%s of no presence = %+v, want nothing", machine.name, got)
		}
	}
}

func TestServerAnswersForTheOwner(t *testing.T) {
	for _, s := range []State{from, fromOut, both, approved(none), approved(noneOut), approved(to)} {
		if got := Inbound(s, Subscribe).Reply; got != Subscribed {
			t.Errorf("Inbound(%+v, subscribe) answers %q, want subscribed", s, got)
		}
	}
	for _, s := range []State{none, noneOut, noneIn, noneOutIn, to, toIn} {
		if got := Inbound(s, Subscribe).Reply; got != 0 {
			t.Errorf("Inbound(%+v, subscribe) answers %q, want nothing", s, got)
		}
	}
}

func TestFarewell(t *testing.T) {
	for _, tc := range []struct {
		state State
		want  []Presence
	}{
		{none, nil}, {approved(none), nil}, {to, []Presence{Unsubscribe}}, {noneOut, []Presence{Unsubscribe}}, {from, []Presence{Unsubscribed}},
		{noneIn, []Presence{Unsubscribed}}, {both, []Presence{Unsubscribe, Unsubscribed}}, {fromOut, []Presence{Unsubscribe, Unsubscribed}},
	} {
		if got := Farewell(tc.state); !slices.Equal(got, tc.want) {
			t.Errorf("Farewell(%+v) = %v, want %v", tc.state, got, tc.want)
		}
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[Subscription]string{None: "none", To: "to", From: "from", Both: "both"} {
		if s.String() != want {
			t.Errorf("Subscription %d = %q, want %q", s, s, want)
		}
	}
	for p, want := range map[Presence]string{0: "", Subscribe: "subscribe", Subscribed: "subscribed", Unsubscribe: "unsubscribe", Unsubscribed: "unsubscribed", 9: ""} {
		if p.String() != want {
			t.Errorf("Presence %d = %q, want %q", p, p, want)
		}
	}
}

// TestTwoAccountsAgree lets two accounts send each other presence at random; each arrives, with its answer, before the next is sent, as Service.Send has it.
func TestTwoAccountsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var states [2]State
		var deliver func(to int, p Presence)
		deliver = func(to int, p Presence) {
			step := Inbound(states[to], p)
			states[to] = step.State
			if step.Reply != 0 {
				deliver(1-to, step.Reply)
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "account")
			p := Presence(rapid.IntRange(0, int(Unsubscribed)).Draw(t, "presence"))
			if p == 0 { // removes the other from the roster
				send := Farewell(states[i])
				states[i] = State{}
				for _, p := range send {
					deliver(1-i, p)
				}
			}
			step := Outbound(states[i], p)
			states[i] = step.State
			if step.Pass {
				deliver(1-i, p)
			}
			checkAgreement(t, states[0], states[1])
			checkAgreement(t, states[1], states[0])
		}
	})
}

func checkAgreement(t *rapid.T, a, b State) {
	if (a.Subscription&To != 0) != (b.Subscription&From != 0) {
		t.Fatalf("one gets presence that the other does not send: %+v, %+v", a, b)
	}
	if a.PendingOut != b.PendingIn {
		t.Fatalf("one waits for an answer that the other does not owe: %+v, %+v", a, b)
	}
	if a.PendingOut && a.Subscription&To != 0 || a.PendingIn && a.Subscription&From != 0 {
		t.Fatalf("%+v is not a state of RFC 6121", a)
	}
}
