package storetest

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
)

func testRequests(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k := addEndpoint(t, s, "pc-1")
	in, err := svc.Inbound(t.Context(), k, "a@else.example", account.Subscribe, []byte("<presence id='1'/>"))
	noError(t, err)
	if !in.Pass || in.Push || in.Listed {
		t.Errorf("Inbound = %+v, want a request that is delivered and not in the roster", in)
	}
	again, err := svc.Inbound(t.Context(), k, "a@else.example", account.Subscribe, []byte("<presence id='2'/>"))
	noError(t, err)
	if again.Pass {
		t.Errorf("second Inbound = %+v, want nothing delivered", again)
	}
	_, err = svc.Inbound(t.Context(), k, "b@else.example", account.Subscribe, []byte("<presence id='3'/>"))
	noError(t, err)
	_, err = svc.Inbound(t.Context(), k, "c@else.example", account.Subscribe, make([]byte, account.MaxRequestBytes+1))
	wantError(t, "Inbound of a long stanza", err, account.ErrTooLarge)

	pending, err := svc.Pending(t.Context(), k)
	noError(t, err)
	if len(pending) != 2 || pending[0].At.IsZero() || string(pending[0].Stanza) != "<presence id='1'/>" || pending[1].JID != "b@else.example" {
		t.Errorf("Pending = %+v, want two, each with the first stanza", pending)
	}
	roster, err := svc.Roster(t.Context(), k)
	noError(t, err)
	diff(t, "roster", roster, account.Roster{})

	approved, err := svc.Outbound(t.Context(), k, "a@else.example", account.Subscribed)
	noError(t, err)
	if !approved.Pass || !approved.Push || !approved.Listed || approved.Item.Subscription != account.From {
		t.Errorf("Outbound = %+v, want the approval on its way and the item in the roster", approved)
	}
	refused, err := svc.Outbound(t.Context(), k, "b@else.example", account.Unsubscribed)
	noError(t, err)
	if !refused.Pass || refused.Push || refused.Listed {
		t.Errorf("Outbound = %+v, want the refusal on its way and nothing in the roster", refused)
	}
	pending, err = svc.Pending(t.Context(), k)
	noError(t, err)
	diff(t, "requests", pending, []account.Request(nil))
	_, known, err := svc.Contact(t.Context(), k, "b@else.example")
	noError(t, err)
	if known {
		t.Error("who was refused is in the roster")
	}

	asked, err := svc.Inbound(t.Context(), k, "a@else.example", account.Subscribe, nil)
	noError(t, err)
	if asked.Pass || asked.Reply != account.Subscribed {
		t.Errorf("Inbound of a subscriber = %+v, want an answer of the server", asked)
	}
	for i := range 201 {
		_, err = svc.Inbound(t.Context(), k, fmt.Sprintf("s%d@else.example", i), account.Subscribe, nil)
		if i < 200 {
			noError(t, err)
		}
	}
	wantError(t, "Inbound of the 201st stranger", err, account.ErrFull)
}

func testRemoval(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	_, err := svc.RemoveItem(t.Context(), k, other.JID())
	wantError(t, "RemoveItem", err, account.ErrNoItem)
	send(t, svc, k, other, account.Subscribe)
	send(t, svc, other, k, account.Subscribed)
	send(t, svc, other, k, account.Subscribe) // waits

	r, err := svc.RemoveItem(t.Context(), k, other.JID())
	noError(t, err)
	both := []account.Presence{account.Unsubscribe, account.Unsubscribed}
	diff(t, "presences to send", r.Send, both)
	diff(t, "presences to deliver", r.Deliver, both)
	if r.Owner.Listed || !r.Owner.Push || !r.Local || !r.Contact.Push || !r.Contact.Listed || r.Contact.Item.State != (account.State{}) {
		t.Errorf("RemoveItem = %+v, want both rosters changed and the owner's item gone", r)
	}
	checkStates(t, svc, k, other, account.State{}, account.State{})

	_, err = svc.SetItem(t.Context(), k, "a@else.example", "", nil)
	noError(t, err)
	r, err = svc.RemoveItem(t.Context(), k, "a@else.example")
	noError(t, err)
	if r.Local || len(r.Send) != 0 {
		t.Errorf("RemoveItem of a stranger = %+v, want nobody told", r)
	}
}

func testExchange(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	x := send(t, svc, other, k, account.Subscribed) // before anybody asked
	if x.Owner.Pass || !x.Owner.Push || !x.Owner.Item.Approved || x.Contact.Pass {
		t.Errorf("pre-approval = %+v, want it in the roster and nothing on its way", x)
	}
	x = send(t, svc, k, other, account.Subscribe)
	if x.Answer != account.Subscribed || x.Contact.Pass || !x.Contact.Push || !x.Owner.Push || x.Owner.Item.Subscription != account.To {
		t.Errorf("request = %+v, want an answer at once", x)
	}
	checkStates(t, svc, k, other, account.State{Subscription: account.To}, account.State{Subscription: account.From, Approved: true})

	x, err := svc.Send(t.Context(), k, "a@else.example", account.Subscribe, nil)
	noError(t, err)
	if x.Local || !x.Owner.Pass {
		t.Errorf("Send to another domain = %+v, want it passed on", x)
	}
	x, err = svc.Send(t.Context(), k, "nobody@"+domain, account.Subscribe, nil)
	noError(t, err)
	if x.Local {
		t.Errorf("Send to an account that does not exist = %+v", x)
	}
	_, err = svc.Send(t.Context(), k, k.JID(), account.Subscribe, nil)
	wantError(t, "Send to itself", err, account.ErrInvalid)
}

// testAgreement drives two accounts through random presences: what one gets, the other gives, and what one asks, the other has to answer.
func testAgreement(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	pairs := 0
	rapid.Check(t, func(r *rapid.T) {
		pairs++
		pair := []endpoint.Key{addEndpoint(t, s, fmt.Sprintf("a-%d", pairs)), addEndpoint(t, s, fmt.Sprintf("b-%d", pairs))}
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			i := rapid.IntRange(0, 1).Draw(r, "account")
			if p := account.Presence(rapid.IntRange(0, int(account.Unsubscribed)).Draw(r, "presence")); p != 0 {
				send(t, svc, pair[i], pair[1-i], p)
			} else if _, err := svc.RemoveItem(t.Context(), pair[i], pair[1-i].JID()); err != nil && !account.Refused(err) {
				r.Fatal(err)
			}
			checkAgreement(t, svc, pair[0], pair[1])
		}
	})
}

// testCrossingSessions lets both sides change their minds at the same time.
func testCrossingSessions(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	var sessions sync.WaitGroup
	for _, pair := range [][2]endpoint.Key{{k, other}, {other, k}} {
		for _, p := range []account.Presence{account.Subscribe, account.Subscribed, account.Unsubscribe, account.Unsubscribed} {
			sessions.Go(func() {
				for range 20 {
					if _, err := svc.Send(t.Context(), pair[0], pair[1].JID(), p, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	sessions.Wait()
	checkAgreement(t, svc, k, other)
}

func send(t *testing.T, svc *account.Service, from, to endpoint.Key, p account.Presence) account.Exchange {
	t.Helper()
	x, err := svc.Send(t.Context(), from, to.JID(), p, []byte("<presence/>"))
	noError(t, err)
	return x
}

func stateOf(t *testing.T, svc *account.Service, k, contact endpoint.Key) account.State {
	t.Helper()
	item, _, err := svc.Contact(t.Context(), k, contact.JID())
	noError(t, err)
	return item.State
}

func checkStates(t *testing.T, svc *account.Service, k, other endpoint.Key, want, wantOther account.State) {
	t.Helper()
	diff(t, "state of "+k.ID, stateOf(t, svc, k, other), want)
	diff(t, "state of "+other.ID, stateOf(t, svc, other, k), wantOther)
}

func checkAgreement(t *testing.T, svc *account.Service, k, other endpoint.Key) {
	t.Helper()
	a, b := stateOf(t, svc, k, other), stateOf(t, svc, other, k)
	for _, pair := range [][2]account.State{{a, b}, {b, a}} {
		gets, gives := pair[0], pair[1]
		if gets.Subscription&account.To != 0 != (gives.Subscription&account.From != 0) || gets.PendingOut != gives.PendingIn {
			t.Fatalf("%s and %s do not agree: %+v, %+v", k, other, a, b)
		}
	}
}
