package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
)

func testBlocking(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.Blocked = 5
	svc := service(t, s, cfg)
	k := addEndpoint(t, s, "pc-1")
	added, err := svc.Block(t.Context(), k, "bare@b.example", "full@b.example/r", "domain.example", "res.example/r")
	noError(t, err)
	diff(t, "added", added, []string{"bare@b.example", "full@b.example/r", "domain.example", "res.example/r"})
	added, err = svc.Block(t.Context(), k, "bare@b.example", "new@b.example")
	noError(t, err)
	diff(t, "added again", added, []string{"new@b.example"})
	_, err = svc.Block(t.Context(), k, "more@b.example")
	wantError(t, "Block beyond the bound", err, account.ErrFull)
	_, err = svc.Block(t.Context(), addEndpoint(t, s, "pc-2"), string(make([]byte, 5*64+1)))
	wantError(t, "Block of many bytes", err, account.ErrFull)
	_, err = svc.Block(t.Context(), k)
	wantError(t, "Block of nobody", err, account.ErrInvalid)

	want := []string{"bare@b.example", "domain.example", "full@b.example/r", "new@b.example", "res.example/r"}
	again := service(t, s, cfg) // from what is stored
	for name, svc := range map[string]*account.Service{"changed": svc, "loaded": again} {
		diff(t, name, svc.Blocked(k), want)
		for jid, blocked := range map[string]bool{
			"bare@b.example": true, "bare@b.example/any": true, "full@b.example/r": true, "full@b.example/s": false, "full@b.example": false,
			"domain.example": true, "x@domain.example": true, "x@domain.example/y": true, "domain.example/z": true,
			"res.example/r": true, "x@res.example/r": true, "x@res.example/s": false, "res.example": false,
			"b.example": false, "other@b.example": false, "other@b.example/bare@b.example": false, "": false,
		} {
			if got := svc.IsBlocked(k, jid); got != blocked {
				t.Errorf("%s: IsBlocked(%q) = %v, want %v", name, jid, got, blocked)
			}
		}
		if svc.IsBlocked(key("pc-2"), "bare@b.example") {
			t.Errorf("%s: another account blocks as well", name)
		}
	}

	removed, err := svc.Unblock(t.Context(), k, "domain.example", "unknown.example")
	noError(t, err)
	diff(t, "removed", removed, []string{"domain.example"})
	removed, err = svc.Unblock(t.Context(), k)
	noError(t, err)
	diff(t, "removed of all", removed, []string{"bare@b.example", "full@b.example/r", "new@b.example", "res.example/r"})
	if svc.IsBlocked(k, "bare@b.example") || len(svc.Blocked(k)) != 0 {
		t.Error("somebody is blocked after all were unblocked")
	}
}

func stored(t *testing.T, svc *account.Service, k endpoint.Key, m account.Offline) error {
	t.Helper()
	return queued(t, func(done func(error)) { svc.StoreOffline(k, m, done) })
}

func testOffline(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	for i, m := range []account.Offline{{}, {Expires: time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()}, {Expires: time.Now().Add(-time.Second)}, {}} {
		m.Stanza, m.At = fmt.Appendf(nil, "<message id='%d'/>", i), day.Add(time.Duration(i)*time.Second)
		noError(t, stored(t, svc, k, m))
	}
	noError(t, stored(t, svc, other, account.Offline{Stanza: []byte("<message/>"), At: day}))
	n, err := svc.CountOffline(t.Context(), k)
	noError(t, err)
	all, err := svc.Offline(t.Context(), k, 0, 10)
	noError(t, err)
	text := ids(all, func(m account.Offline) string { return string(m.Stanza) })
	if n != 3 || text != "<message id='0'/> <message id='1'/> <message id='3'/>" || !all[0].At.Equal(day) || !bounded(all[0].Expires) || all[1].Expires.After(time.Now().Add(time.Hour)) {
		t.Fatalf("%d offline messages: %s, want those that have not expired, in order", n, text)
	}
	page, err := svc.Offline(t.Context(), k, all[0].ID, 1)
	noError(t, err)
	diff(t, "page", page, all[1:2])

	noError(t, queued(t, func(done func(error)) { svc.DeleteOffline(k, all[1].ID, done) }))
	rest, err := svc.Offline(t.Context(), k, 0, 10)
	noError(t, err)
	diff(t, "rest", rest, all[2:])
	svc.DeleteOffline(k, all[2].ID, nil)
	noError(t, stored(t, svc, k, account.Offline{Stanza: []byte("<message/>"), At: day}))
	rest, err = svc.Offline(t.Context(), k, 0, 10)
	noError(t, err)
	if len(rest) != 1 || rest[0].ID <= all[2].ID {
		t.Errorf("the next message is %+v, want one whose id is greater than %d", rest, all[2].ID)
	}
	n, err = svc.CountOffline(t.Context(), other)
	noError(t, err)
	if n != 1 {
		t.Errorf("%d messages of another account are left, want 1", n)
	}
}

func testOfflineBounds(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.OfflineCount, cfg.OfflineBytes = 2, 65536
	svc := service(t, s, cfg)
	k := addEndpoint(t, s, "pc-1")
	wantError(t, "a large message", stored(t, svc, k, account.Offline{Stanza: make([]byte, 65537)}), account.ErrFull)
	noError(t, stored(t, svc, k, account.Offline{Stanza: make([]byte, 65536)}))
	wantError(t, "a byte more", stored(t, svc, k, account.Offline{Stanza: make([]byte, 1)}), account.ErrFull)
	noError(t, stored(t, svc, k, account.Offline{Expires: time.Now().Add(-time.Second)}))
	noError(t, stored(t, svc, k, account.Offline{})) // the other has expired
	wantError(t, "a third message", stored(t, svc, k, account.Offline{}), account.ErrFull)
}

// testArchiveAtOnce: who asks after a message was kept sees it, though nobody waited for the disk.
func testArchiveAtOnce(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k := addEndpoint(t, s, "pc-1")
	for n := 1; n <= 20; n++ {
		id := svc.Append(k, account.Message{With: "a@else.example", Stanza: []byte("<message/>"), At: day})
		r, err := svc.Query(t.Context(), k, account.Filter{}, account.Page{Max: 1, Backwards: true})
		noError(t, err)
		if r.Count != n || r.Last != id {
			t.Fatalf("after %d messages the archive has %d, the last is %s, want %s", n, r.Count, r.Last, id)
		}
	}
}

// bounded reports whether a message that says nothing of its end got the one that all have.
func bounded(expires time.Time) bool {
	left := time.Until(expires)
	return left > account.Default().OfflineAge-time.Minute && left <= account.Default().OfflineAge
}

func testArchive(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k, other := addEndpoint(t, s, "pc-1"), addEndpoint(t, s, "pc-2")
	var all []account.Message
	for i := range 6 {
		m := account.Message{With: "a@else.example", Resource: "r", Outgoing: i%2 == 0, Stanza: fmt.Appendf(nil, "<message id='%d'/>", i), At: day.Add(time.Duration(i) * time.Second)}
		if i >= 4 {
			m.With, m.Resource = "b@else.example", ""
		}
		m.ID = svc.Append(k, m)
		all = append(all, m)
	}
	foreign := svc.Append(other, account.Message{With: "a@else.example", Stanza: []byte("<message/>"), At: day})
	flush(t, s)
	svc = service(t, s, account.Default())
	if next := svc.Append(other, account.Message{With: "a@else.example", At: day.Add(-time.Hour)}); next <= foreign {
		t.Errorf("the first id after a start is %s, want one greater than %s", next, foreign)
	}
	flush(t, s)

	id := func(i int) account.ArchiveID { return all[i].ID }
	for _, tc := range []struct {
		name     string
		filter   account.Filter
		page     account.Page
		from, to int // of all
		count    int
		complete bool
	}{
		{"all", account.Filter{}, account.Page{Max: 10}, 0, 6, 6, true},
		{"first page", account.Filter{}, account.Page{Max: 4}, 0, 4, 6, false},
		{"next page", account.Filter{}, account.Page{Max: 4, After: id(3)}, 4, 6, 6, true},
		{"last page", account.Filter{}, account.Page{Max: 2, Backwards: true}, 4, 6, 6, false},
		{"page before", account.Filter{}, account.Page{Max: 4, Before: id(4)}, 0, 4, 6, true},
		{"count", account.Filter{}, account.Page{}, 0, 0, 6, false},
		{"with", account.Filter{With: "a@else.example"}, account.Page{Max: 10}, 0, 4, 4, true},
		{"with full", account.Filter{With: "a@else.example/r"}, account.Page{Max: 10}, 0, 4, 4, true},
		{"with another resource", account.Filter{With: "a@else.example/s"}, account.Page{Max: 10}, 0, 0, 0, true},
		{"with nobody", account.Filter{With: "c@else.example"}, account.Page{Max: 0}, 0, 0, 0, true},
		{"start", account.Filter{Start: day.Add(2 * time.Second)}, account.Page{Max: 10}, 2, 6, 4, true},
		{"end", account.Filter{End: day.Add(2 * time.Second)}, account.Page{Max: 10}, 0, 3, 3, true},
		{"after id", account.Filter{After: id(1)}, account.Page{Max: 2}, 2, 4, 4, false},
		{"before id", account.Filter{Before: id(2)}, account.Page{Max: 10}, 0, 2, 2, true},
		{"ids", account.Filter{IDs: []account.ArchiveID{id(3), id(2), id(3)}}, account.Page{Max: 10}, 2, 4, 2, true},
	} {
		got, err := svc.Query(t.Context(), k, tc.filter, tc.page)
		noError(t, err)
		want := account.Result{Count: tc.count, Complete: tc.complete}
		if tc.to > tc.from {
			want.Messages, want.First, want.Last = all[tc.from:tc.to], id(tc.from), id(tc.to-1)
		} else if got.Messages = nil; tc.to < tc.from {
			t.Fatal("bad case")
		}
		diff(t, tc.name, got, want)
	}
	for name, f := range map[string]account.Filter{"after": {After: foreign}, "before": {Before: 1}, "ids": {IDs: []account.ArchiveID{id(0), foreign}}} {
		_, err := svc.Query(t.Context(), k, f, account.Page{Max: 10})
		wantError(t, name, err, account.ErrNoMessage)
	}
	_, err := svc.Query(t.Context(), k, account.Filter{}, account.Page{Max: 1, After: foreign})
	wantError(t, "page after", err, account.ErrNoMessage)
	first, last, err := svc.Bounds(t.Context(), k)
	noError(t, err)
	if first.ID != id(0) || !first.At.Equal(day) || last.ID != id(5) {
		t.Errorf("Bounds = %+v, %+v, want the first and the last message", first, last)
	}
	if back, ok := account.ParseArchiveID(id(0).String()); !ok || back != id(0) {
		t.Errorf("ParseArchiveID(%s) = %d, %v", id(0), back, ok)
	}
}

func testArchiveGivesWay(t *testing.T, s Subject) {
	cfg := account.Default()
	cfg.ArchiveCount, cfg.ArchiveBytes = 40, 262_144
	svc := service(t, s, cfg)
	k := addEndpoint(t, s, "pc-1")
	appendAll := func(n, size int) {
		for range n {
			svc.Append(k, account.Message{With: "a@else.example", Stanza: make([]byte, size), At: day})
		}
		flush(t, s)
	}
	check := func(want int) {
		t.Helper()
		got, err := svc.Query(t.Context(), k, account.Filter{}, account.Page{})
		noError(t, err)
		if got.Count != want {
			t.Errorf("%d messages, want %d", got.Count, want)
		}
	}
	appendAll(45, 1)
	check(40)
	appendAll(4, 65_000)
	check(40)
	appendAll(1, 65_000)
	check(4)
	appendAll(1, 300_000) // more than all may have: alone
	check(1)
	appendAll(3, 10)
	check(3)
}

func testPreferences(t *testing.T, s Subject) {
	svc := service(t, s, account.Default())
	k := addEndpoint(t, s, "pc-1")
	diff(t, "preferences of a new account", svc.Preferences(k), account.Preferences{})
	_, err := svc.SetItem(t.Context(), k, "listed@else.example", "", nil)
	noError(t, err)
	p := account.Preferences{Default: account.ArchiveRoster, Always: []string{"always@else.example", "mixed@else.example/yes"}, Never: []string{"mixed@else.example"}}
	noError(t, svc.SetPreferences(t.Context(), k, p))
	diff(t, "preferences", svc.Preferences(k), p)
	svc = service(t, s, account.Default())
	diff(t, "stored preferences", svc.Preferences(k), p)
	for _, with := range []string{"listed@else.example", "always@else.example", "mixed@else.example", "stranger@else.example"} {
		svc.Append(k, account.Message{With: with, Resource: "no", Stanza: []byte("<message/>"), At: day})
	}
	svc.Append(k, account.Message{With: "mixed@else.example", Resource: "yes", Stanza: []byte("<message/>"), At: day})
	flush(t, s)
	got, err := svc.Query(t.Context(), k, account.Filter{}, account.Page{Max: 10})
	noError(t, err)
	kept := ids(got.Messages, func(m account.Message) string { return m.With + "/" + m.Resource })
	if want := "listed@else.example/no always@else.example/no mixed@else.example/yes"; kept != want {
		t.Errorf("archived are %s, want %s", kept, want)
	}
	wantError(t, "SetPreferences", svc.SetPreferences(t.Context(), k, account.Preferences{Default: 9}), account.ErrInvalid)
	many := account.Preferences{Never: make([]string, account.MaxListed+1)}
	wantError(t, "SetPreferences", svc.SetPreferences(t.Context(), k, many), account.ErrFull)
	long := string(make([]byte, 3000))
	large := account.Preferences{Always: slices.Repeat([]string{long}, 11), Never: slices.Repeat([]string{long}, 11)}
	wantError(t, "SetPreferences", svc.SetPreferences(t.Context(), k, large), account.ErrFull)
	noError(t, svc.SetPreferences(t.Context(), k, account.Preferences{}))
	diff(t, "reset preferences", service(t, s, account.Default()).Preferences(k), account.Preferences{})
}
