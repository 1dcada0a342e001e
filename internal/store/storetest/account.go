package storetest

import (
	"errors"
	"testing"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
)

// accountTests check a store through account.Service, whose rules are half of the contract.
var accountTests = map[string]func(*testing.T, Subject){
	"accounts/unknown":           testUnknownAccount,
	"accounts/roster":            testRoster,
	"accounts/roster bounds":     testRosterBounds,
	"accounts/requests":          testRequests,
	"accounts/removal":           testRemoval,
	"accounts/exchange":          testExchange,
	"accounts/agreement":         testAgreement,
	"accounts/crossing sessions": testCrossingSessions,
	"accounts/blocking":          testBlocking,
	"accounts/offline":           testOffline,
	"accounts/offline bounds":    testOfflineBounds,
	"accounts/archive":           testArchive,
	"accounts/archive at once":   testArchiveAtOnce,
	"accounts/archive gives way": testArchiveGivesWay,
	"accounts/preferences":       testPreferences,
	"accounts/nodes":             testNodes,
	"accounts/items":             testItems,
	"accounts/publish options":   testPublishOptions,
	"accounts/push targets":      testPushTargets,
	"accounts/last activity":     testLast,
	"accounts/delete":            testDeleteAccount,
}

// service returns a loaded service.
func service(t *testing.T, s Subject, cfg account.Config) *account.Service {
	t.Helper()
	svc, err := account.New(cfg, s.Accounts())
	noError(t, err)
	noError(t, svc.Load(t.Context()))
	return svc
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v, want %v", what, err, want)
	}
}

// queued waits for a call that calls back.
func queued(t *testing.T, call func(done func(error))) error {
	t.Helper()
	answer := make(chan error, 1)
	call(func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-t.Context().Done():
		t.Fatal("nobody called back")
		return nil
	}
}

func testUnknownAccount(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k := key("nobody")
	_, err := svc.SetItem(t.Context(), k, "a@push.example", "", nil)
	wantError(t, "SetItem", err, endpoint.ErrUnknown)
	_, err = svc.Block(t.Context(), k, "a@push.example")
	wantError(t, "Block", err, endpoint.ErrUnknown)
	err = queued(t, func(done func(error)) { svc.StoreOffline(k, account.Offline{Stanza: []byte("<message/>")}, done) })
	wantError(t, "StoreOffline", err, endpoint.ErrUnknown)
	roster, err := svc.Roster(t.Context(), k)
	noError(t, err)
	diff(t, "roster", roster, account.Roster{})
	if svc.IsBlocked(k, "a@push.example") {
		t.Error("an account that does not exist blocks somebody")
	}
}

func testRoster(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k := addEndpoint(t, s, "pc-1")
	empty, err := svc.Roster(t.Context(), k)
	noError(t, err)
	diff(t, "empty roster", empty, account.Roster{})

	first, err := svc.SetItem(t.Context(), k, "b@else.example", "B & co", []string{"x", "y"})
	noError(t, err)
	second, err := svc.SetItem(t.Context(), k, "a@else.example", "", nil)
	noError(t, err)
	if !first.Push || !first.Listed || second.Version <= first.Version || first.Version == 0 {
		t.Errorf("changes are %+v and %+v, want pushes with growing versions", first, second)
	}
	got, err := svc.Roster(t.Context(), k)
	noError(t, err)
	diff(t, "roster", got, account.Roster{Version: second.Version, Items: []account.Item{
		{JID: "a@else.example"}, {JID: "b@else.example", Name: "B & co", Groups: []string{"x", "y"}},
	}})

	out, err := svc.Outbound(t.Context(), k, "a@else.example", account.Subscribe)
	noError(t, err)
	if !out.Pass || !out.Push || !out.Item.PendingOut {
		t.Errorf("Outbound = %+v, want the request on its way and the item pushed", out)
	}
	again, err := svc.Outbound(t.Context(), k, "a@else.example", account.Subscribe)
	noError(t, err)
	if !again.Pass || again.Push || again.Version != 0 {
		t.Errorf("second Outbound = %+v, want the request on its way and no push", again)
	}
	in, err := svc.Inbound(t.Context(), k, "a@else.example", account.Subscribed, nil)
	noError(t, err)
	if !in.Pass || !in.Push || in.Item.Subscription != account.To || in.Before.Subscription != account.None {
		t.Errorf("Inbound = %+v, want a subscription", in)
	}
	renamed, err := svc.SetItem(t.Context(), k, "a@else.example", "A", []string{"z"})
	noError(t, err)
	diff(t, "renamed item", renamed.Item, account.Item{JID: "a@else.example", Name: "A", Groups: []string{"z"}, State: account.State{Subscription: account.To}})
	item, listed, err := svc.Contact(t.Context(), k, "a@else.example")
	noError(t, err)
	if diff(t, "contact", item, renamed.Item); !listed {
		t.Error("Contact says that the item is not in the roster")
	}
	_, listed, err = svc.Contact(t.Context(), k, "c@else.example")
	noError(t, err)
	if listed {
		t.Error("a stranger is in the roster")
	}
}

func testRosterBounds(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.RosterItems = 2
	svc := service(t, s, cfg)
	k := addEndpoint(t, s, "pc-1")
	long := string(make([]byte, account.MaxNameBytes+1))
	for _, tc := range []struct {
		name, jid, item string
		groups          []string
		want            error
	}{
		{"no JID", "", "", nil, account.ErrInvalid},
		{"full JID", "a@b/c", "", nil, account.ErrInvalid},
		{"itself", k.JID(), "", nil, account.ErrInvalid},
		{"long JID", "a@" + string(make([]byte, account.MaxBareBytes)), "", nil, account.ErrTooLarge},
		{"long name", "a@b", long, nil, account.ErrTooLarge},
		{"empty group", "a@b", "", []string{""}, account.ErrInvalid},
		{"long groups", "a@b", long[1:], []string{long[1:], long[2:] + "a", long[2:] + "b", long[2:] + "c"}, account.ErrTooLarge},
		{"long group", "a@b", "", []string{long}, account.ErrTooLarge},
		{"group twice", "a@b", "", []string{"g", "h", "g"}, account.ErrInvalid},
		{"many groups", "a@b", "", make([]string, account.MaxGroups+1), account.ErrInvalid},
	} {
		_, err := svc.SetItem(t.Context(), k, tc.jid, tc.item, tc.groups)
		wantError(t, tc.name, err, tc.want)
	}
	for _, jid := range []string{"a@b", "b@b"} {
		_, err := svc.SetItem(t.Context(), k, jid, "", nil)
		noError(t, err)
	}
	_, err := svc.SetItem(t.Context(), k, "c@b", "", nil)
	wantError(t, "SetItem beyond the bound", err, account.ErrFull)
	_, err = svc.Outbound(t.Context(), k, "c@b", account.Subscribe)
	wantError(t, "Outbound beyond the bound", err, account.ErrFull)
	_, err = svc.SetItem(t.Context(), k, "b@b", "changed", nil)
	noError(t, err)
	roster, err := svc.Roster(t.Context(), k)
	noError(t, err)
	diff(t, "roster", roster.Items, []account.Item{{JID: "a@b"}, {JID: "b@b", Name: "changed"}})
}

func testLast(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k := addEndpoint(t, s, "pc-1")
	_, at, err := svc.Last(t.Context(), k)
	noError(t, err)
	if !at.IsZero() {
		t.Errorf("Last of a new account = %s, want never", at)
	}
	svc.SetLast(k, "gone home", day)
	svc.SetLast(key("nobody"), "", day)
	flush(t, s)
	status, at, err := svc.Last(t.Context(), k)
	noError(t, err)
	if status != "gone home" || !at.Equal(day) {
		t.Errorf("Last = %q, %s, want gone home, %s", status, at, day)
	}
	svc.SetLast(k, string(make([]byte, account.MaxStatusBytes-1))+"ü", day.Add(time.Second))
	flush(t, s)
	status, at, err = svc.Last(t.Context(), k)
	noError(t, err)
	if len(status) != account.MaxStatusBytes-1 || !at.Equal(day.Add(time.Second)) {
		t.Errorf("Last = %d bytes, %s, want whole characters only", len(status), at)
	}
}

func testPushTargets(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.PushTargets = 2
	svc := service(t, s, cfg)
	k := addEndpoint(t, s, "pc-1")
	a, b := account.PushTarget{Service: "push.a", Node: "1"}, account.PushTarget{Service: "push.a", Node: "2", Options: []byte("<x/>")}
	noError(t, svc.EnablePush(t.Context(), k, a))
	noError(t, svc.EnablePush(t.Context(), k, b))
	wantError(t, "EnablePush beyond the bound", svc.EnablePush(t.Context(), k, account.PushTarget{Service: "push.b"}), account.ErrFull)
	a.Options = []byte("<y/>")
	noError(t, svc.EnablePush(t.Context(), k, a)) // in its own place
	wantError(t, "EnablePush of nobody", svc.EnablePush(t.Context(), k, account.PushTarget{}), account.ErrInvalid)
	large := account.PushTarget{Service: "push.a", Node: "1", Options: make([]byte, account.MaxOptionsBytes+1)}
	wantError(t, "EnablePush with long options", svc.EnablePush(t.Context(), k, large), account.ErrTooLarge)
	all, err := svc.PushTargets(t.Context(), k)
	noError(t, err)
	diff(t, "push targets", all, []account.PushTarget{a, b})

	for _, step := range []struct {
		service string
		node    *string
		want    int
	}{{"push.a", &b.Node, 1}, {"push.a", &b.Node, 0}, {"push.b", nil, 0}, {"push.a", nil, 1}} {
		n, err := svc.DisablePush(t.Context(), k, step.service, step.node)
		noError(t, err)
		if n != step.want {
			t.Errorf("DisablePush(%s) = %d, want %d", step.service, n, step.want)
		}
	}
}
