package storetest

import (
	"fmt"
	"testing"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/push"
)

func ptr[T any](v T) *T { return &v }

func testNodes(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.Nodes = 2
	svc := service(t, s, cfg)
	ctx, k := t.Context(), addEndpoint(t, s, "pc-1")
	created, err := svc.CreateNode(ctx, k, "urn:b", account.Options{Access: ptr(account.AccessWhitelist), MaxItems: ptr(1 << 20), Title: ptr("B")})
	noError(t, err)
	diff(t, "created", created, account.Node{Name: "urn:b", Config: account.NodeConfig{Access: account.AccessWhitelist, MaxItems: cfg.NodeItems, Title: "B"}})
	_, err = svc.CreateNode(ctx, k, "urn:b", account.Options{})
	wantError(t, "CreateNode", err, account.ErrNodeExists)
	_, err = svc.CreateNode(ctx, k, "", account.Options{})
	wantError(t, "CreateNode without a name", err, account.ErrInvalid)
	_, err = svc.CreateNode(ctx, k, "urn:a", account.Options{MaxItems: ptr(0)})
	wantError(t, "CreateNode that keeps nothing", err, account.ErrInvalid)
	_, err = svc.CreateNode(ctx, k, "urn:a", account.Options{})
	noError(t, err)
	_, err = svc.CreateNode(ctx, k, "urn:c", account.Options{})
	wantError(t, "CreateNode beyond the bound", err, account.ErrFull)

	configured, err := svc.ConfigureNode(ctx, k, "urn:a", account.Options{Access: ptr(account.AccessRoster), Groups: &[]string{"g"}, SendLast: ptr(account.SendNever)})
	noError(t, err)
	_, err = svc.ConfigureNode(ctx, k, "urn:x", account.Options{})
	wantError(t, "ConfigureNode", err, account.ErrNoNode)
	_, err = svc.Affiliate(ctx, k, "urn:b", "m@else.example", account.Member)
	noError(t, err)
	for _, jid := range []string{"z@else.example/r", "m@else.example"} {
		_, err = svc.Subscribe(ctx, k, "urn:b", jid)
		noError(t, err)
	}
	affiliated, err := svc.Affiliate(ctx, k, "urn:b", "z@else.example", account.Outcast)
	noError(t, err)
	_, err = svc.Unsubscribe(ctx, k, "urn:b", "z@else.example/r")
	wantError(t, "Unsubscribe of an outcast", err, account.ErrNoItem)
	for i := range 22 { // 21 of them are more than 64 KiB together
		if _, err = svc.Subscribe(ctx, k, "urn:a", fmt.Sprintf("%03050d@else.example", i)); err != nil {
			break
		}
	}
	wantError(t, "Subscribe of many bytes", err, account.ErrFull)
	_, err = svc.Affiliate(ctx, k, "urn:a", fmt.Sprintf("%02000d@else.example", 0), account.Member)
	wantError(t, "Affiliate of many bytes", err, account.ErrFull)
	for i := range 21 {
		if _, err = svc.Unsubscribe(ctx, k, "urn:a", fmt.Sprintf("%03050d@else.example", i)); err != nil {
			break
		}
	}
	diff(t, "affiliated", affiliated.Affiliations, map[string]account.Affiliation{"m@else.example": account.Member, "z@else.example": account.Outcast})
	all, err := svc.Nodes(ctx, k)
	noError(t, err)
	diff(t, "nodes", all, []account.Node{configured, affiliated})
	one, err := svc.Node(ctx, k, "urn:b")
	noError(t, err)
	diff(t, "node", one, affiliated)

	gone, err := svc.DeleteNode(ctx, k, "urn:b")
	noError(t, err)
	diff(t, "deleted node", gone.Subscribers, []string{"m@else.example"})
	_, err = svc.DeleteNode(ctx, k, "urn:b")
	wantError(t, "DeleteNode", err, account.ErrNoNode)
	_, err = svc.Node(ctx, k, "urn:b")
	wantError(t, "Node", err, account.ErrNoNode)
}

func testItems(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.NodeBytes = account.MaxPayloadBytes
	svc := service(t, s, cfg)
	ctx, k := t.Context(), addEndpoint(t, s, "pc-1")
	const node = "urn:node"
	publish := func(id, payload string) account.Published {
		t.Helper()
		p, err := svc.Publish(ctx, k, node, account.NodeItem{ID: id, Payload: []byte(payload), Publisher: k.JID(), At: day}, account.Options{})
		noError(t, err)
		return p
	}
	text := func() string {
		t.Helper()
		all, err := svc.Items(ctx, k, node, 10)
		noError(t, err)
		return ids(all, func(i account.NodeItem) string { return i.ID + "=" + string(i.Payload) })
	}
	_, err := svc.Items(ctx, k, node, 10)
	wantError(t, "Items", err, account.ErrNoNode)
	first := publish("", "<a/>")
	if !first.Created || first.Item.ID == "" || first.Node.Items != 1 || first.Node.Bytes != 4 {
		t.Errorf("Publish = %+v, want a new node with an item that has an id", first)
	}
	second := publish("b", "<b/>")
	diff(t, "evicted", second.Evicted, []string{first.Item.ID})
	_, err = svc.ConfigureNode(ctx, k, node, account.Options{MaxItems: ptr(3)})
	noError(t, err)
	for _, id := range []string{"c", "d", "b"} {
		publish(id, "<"+id+id+"/>")
	}
	if got, want := text(), "b=<bb/> d=<dd/> c=<cc/>"; got != want {
		t.Errorf("items are %s, want %s", got, want)
	}
	item, err := svc.Item(ctx, k, node, "d")
	noError(t, err)
	diff(t, "item", item, account.NodeItem{ID: "d", Payload: []byte("<dd/>"), Publisher: k.JID(), At: day})
	_, err = svc.Item(ctx, k, node, "x")
	wantError(t, "Item", err, account.ErrNoItem)
	_, err = svc.Item(ctx, k, "urn:x", "x")
	wantError(t, "Item", err, account.ErrNoNode)

	large := account.NodeItem{ID: "d", Payload: make([]byte, account.MaxPayloadBytes-9)}
	_, err = svc.Publish(ctx, k, node, large, account.Options{})
	wantError(t, "Publish beyond the bytes of an account", err, account.ErrFull)
	large.Payload = large.Payload[:account.MaxPayloadBytes-10] // in place of another
	_, err = svc.Publish(ctx, k, node, large, account.Options{})
	noError(t, err)
	_, err = svc.Publish(ctx, k, node, account.NodeItem{Payload: make([]byte, account.MaxPayloadBytes+1)}, account.Options{})
	wantError(t, "Publish of a large payload", err, account.ErrTooLarge)

	n, err := svc.Retract(ctx, k, node, "d")
	noError(t, err)
	if n.Items != 2 || n.Bytes != 10 {
		t.Errorf("Retract leaves %+v, want 2 items of 10 bytes", n)
	}
	_, err = svc.Retract(ctx, k, node, "d")
	wantError(t, "Retract", err, account.ErrNoItem)
	n, err = svc.ConfigureNode(ctx, k, node, account.Options{MaxItems: ptr(1)})
	noError(t, err)
	if got := text(); n.Items != 1 || got != "b=<bb/>" {
		t.Errorf("%d items, %s, want the newest", n.Items, got)
	}
	n, err = svc.Purge(ctx, k, node)
	noError(t, err)
	if got := text(); n.Items != 0 || n.Bytes != 0 || got != "" {
		t.Errorf("Purge leaves %+v with %q", n, got)
	}
	_, err = svc.ConfigureNode(ctx, k, node, account.Options{Transient: ptr(true)})
	noError(t, err)
	if p := publish("t", "<t/>"); p.Node.Items != 0 || text() != "" {
		t.Error("a transient node keeps an item")
	}
}

func testPublishOptions(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	ctx, k := t.Context(), addEndpoint(t, s, "pc-1")
	options := account.Options{Access: ptr(account.AccessOpen), MaxItems: ptr(5)}
	for i, tc := range []struct {
		options account.Options
		want    error
	}{
		{options, nil},
		{options, nil},
		{account.Options{}, nil},
		{account.Options{Transient: ptr(false)}, nil},
		{account.Options{Access: ptr(account.AccessPresence)}, account.ErrPrecondition},
		{account.Options{MaxItems: ptr(6)}, account.ErrPrecondition},
		{account.Options{Transient: ptr(true)}, account.ErrPrecondition},
		{account.Options{MaxItems: ptr(-1)}, account.ErrPrecondition},
	} {
		_, err := svc.Publish(ctx, k, "urn:node", account.NodeItem{ID: fmt.Sprint(i)}, tc.options)
		wantError(t, fmt.Sprintf("Publish %d", i), err, tc.want)
	}
	_, err := svc.Publish(ctx, k, "urn:other", account.NodeItem{}, account.Options{MaxItems: ptr(-1)})
	wantError(t, "Publish to a new node", err, account.ErrInvalid)
	all, err := svc.Items(ctx, k, "urn:node", 10)
	noError(t, err)
	if got, want := ids(all, func(i account.NodeItem) string { return i.ID }), "3 2 1 0"; got != want {
		t.Errorf("items are %s, want %s", got, want)
	}
}

// testDeleteAccount fills an account and deletes it: an account of the same name starts with nothing, and others keep no subscription of the one that is gone.
func testDeleteAccount(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	ctx, k, other, asked := t.Context(), addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2"), addEndpoint(t, s, "pc-3")
	send(t, svc, k, other, account.Subscribe)
	send(t, svc, other, k, account.Subscribed)
	send(t, svc, k, asked, account.Subscribe)
	_, err := svc.Block(ctx, k, "a@else.example")
	noError(t, err)
	noError(t, svc.SetPreferences(ctx, k, account.Preferences{Default: account.ArchiveRoster}))
	noError(t, svc.EnablePush(ctx, k, account.PushTarget{Service: "push.a"}))
	noError(t, stored(t, svc, k, account.Offline{Stanza: []byte("<message/>")}))
	for i := range 1100 { // more than one chunk
		svc.Append(k, account.Message{With: other.JID(), Stanza: fmt.Appendf(nil, "%d", i), At: day})
	}
	_, err = svc.Publish(ctx, k, "urn:node", account.NodeItem{ID: "i"}, account.Options{})
	noError(t, err)
	svc.SetLast(k, "bye", day)
	accept(t, s, push.Push{To: k, TTL: time.Hour})
	before, err := svc.Roster(ctx, other)
	noError(t, err)

	noError(t, s.DeleteEndpoint(ctx, k))
	if svc.IsBlocked(k, "a@else.example") || svc.Preferences(k).Default != account.ArchiveAlways {
		t.Error("what is kept in memory survived the account")
	}
	addEndpoint(t, s, "pc-1") // of the newest row, whose number may come again
	roster, err := svc.Roster(ctx, k)
	noError(t, err)
	pending, err := svc.Pending(ctx, k)
	noError(t, err)
	offline, err := svc.CountOffline(ctx, k)
	noError(t, err)
	archive, err := svc.Query(ctx, k, account.Filter{}, account.Page{})
	noError(t, err)
	nodes, err := svc.Nodes(ctx, k)
	noError(t, err)
	targets, err := svc.PushTargets(ctx, k)
	noError(t, err)
	_, at, err := svc.Last(ctx, k)
	noError(t, err)
	if len(roster.Items)+len(pending)+offline+archive.Count+len(nodes)+len(targets) > 0 || roster.Version != 0 || !at.IsZero() {
		t.Errorf("of the account are left: %+v %v %d %+v %v %v %s", roster, pending, offline, archive, nodes, targets, at)
	}

	after, err := svc.Roster(ctx, other)
	noError(t, err)
	if after.Version <= before.Version {
		t.Errorf("the version of another roster is %d after %d, want a greater one", after.Version, before.Version)
	}
	diff(t, "items of another roster", after.Items, []account.Item{{JID: k.JID()}})
	pending, err = svc.Pending(ctx, asked)
	noError(t, err)
	diff(t, "requests that wait elsewhere", pending, []account.Request(nil))
}
