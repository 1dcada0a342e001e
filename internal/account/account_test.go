package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/internal/endpoint"
)

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("Default: %v", err)
	}
	keys := []string{
		"roster_items", "blocked", "nodes", "node_items", "node_bytes", "offline_count", "offline_bytes", "archive_count", "archive_bytes", "push_targets",
	}
	err := Config{}.Validate()
	if err == nil {
		t.Fatal("the zero Config is valid")
	}
	for _, key := range keys {
		if !strings.Contains("\n"+err.Error(), "\n"+key+": ") {
			t.Errorf("Validate does not name %s: %v", key, err)
		}
	}
	huge := Default()
	huge.OfflineBytes = maxOfflineBytes + 1
	if err := huge.Validate(); err == nil || !strings.HasPrefix(err.Error(), "offline_bytes: must be 65536 to ") {
		t.Errorf("Validate = %v, want the upper bound", err)
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("disk"), false}, {ErrFull, true}, {fmt.Errorf("%w: more", ErrInvalid), true}, {fmt.Errorf("x: %w", endpoint.ErrUnknown), true},
	} {
		if got := Refused(tc.err); got != tc.want {
			t.Errorf("Refused(%v) = %v, want %v", tc.err, got, tc.want)
		}
	}
}

func TestArchiveIDs(t *testing.T) {
	s := &Service{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := ArchiveID(0)
	for i, at := range []time.Time{at, at, at.Add(-time.Hour), time.Unix(0, 0), at.Add(time.Second)} {
		id := s.nextID(at)
		if id <= last || id.String() <= last.String() {
			t.Errorf("id %d is %s after %s, want a greater one", i, id, last)
		}
		if back, ok := ParseArchiveID(id.String()); !ok || back != id {
			t.Errorf("ParseArchiveID(%s) = %s, %v", id, back, ok)
		}
		last = id
	}
	if want := ArchiveID(at.Add(time.Second).UnixMicro() << idBits); last != want {
		t.Errorf("the id after the clock went on is %s, want %s", last, want)
	}
	for _, text := range []string{"", "0", "0000000000000000", "00065e6c8a0c4000 ", "+0065e6c8a0c4000", "00065E6C8A0C4000", "8000000000000000", "zz"} {
		if id, ok := ParseArchiveID(text); ok {
			t.Errorf("ParseArchiveID(%q) = %s, want nothing", text, id)
		}
	}
}

func TestParseNames(t *testing.T) {
	for a := AccessPresence; a <= AccessWhitelist; a++ {
		if got, ok := ParseAccess(a.String()); !ok || got != a {
			t.Errorf("ParseAccess(%s) = %v, %v", a, got, ok)
		}
	}
	for v := SendOnPresence; v <= SendNever; v++ {
		if got, ok := ParseSendLast(v.String()); !ok || got != v {
			t.Errorf("ParseSendLast(%s) = %v, %v", v, got, ok)
		}
	}
	for a := NoAffiliation; a <= Outcast; a++ {
		if got, ok := ParseAffiliation(a.String()); !ok || got != a {
			t.Errorf("ParseAffiliation(%s) = %v, %v", a, got, ok)
		}
	}
	for a := ArchiveAlways; a <= ArchiveRoster; a++ {
		if got, ok := ParseArchiving(a.String()); !ok || got != a {
			t.Errorf("ParseArchiving(%s) = %v, %v", a, got, ok)
		}
	}
	_, access := ParseAccess("authorize")
	_, sendLast := ParseSendLast("")
	_, affiliation := ParseAffiliation("owner")
	_, archiving := ParseArchiving("Always")
	if access || sendLast || affiliation || archiving {
		t.Error("a value that is not offered is understood")
	}
}

func TestAdmits(t *testing.T) {
	const stranger, subscriber, listed = "s@else.example", "f@else.example", "g@else.example"
	items := map[string]Item{
		subscriber: {State: State{Subscription: From}, Groups: []string{"other"}},
		listed:     {State: State{Subscription: Both}, Groups: []string{"other", "g"}},
		"to@b":     {State: State{Subscription: To}, Groups: []string{"g"}},
	}
	for _, tc := range []struct {
		access Access
		want   string // who may read
	}{
		{AccessOpen, "s@else.example f@else.example g@else.example to@b member@b publisher@b pc-0@xmpp.example"},
		{AccessPresence, "f@else.example g@else.example member@b publisher@b pc-0@xmpp.example"},
		{AccessRoster, "g@else.example member@b publisher@b pc-0@xmpp.example"},
		{AccessWhitelist, "member@b publisher@b pc-0@xmpp.example"},
		{9, "member@b publisher@b pc-0@xmpp.example"},
	} {
		n := Node{Config: NodeConfig{Access: tc.access, Groups: []string{"g"}}, Affiliations: map[string]Affiliation{
			"member@b": Member, "publisher@b": Publisher, "outcast@b": Outcast,
		}}
		items["outcast@b"] = items[listed]
		var may []string
		for _, who := range []string{stranger, subscriber, listed, "to@b", "member@b", "publisher@b", "outcast@b", pc(0).JID()} {
			if n.Admits(pc(0), who, items[who]) {
				may = append(may, who)
			}
		}
		if got := strings.Join(may, " "); got != tc.want {
			t.Errorf("%s admits %s, want %s", tc.access, got, tc.want)
		}
		for _, who := range []string{"publisher@b", pc(0).JID()} {
			if !n.MayPublish(pc(0), who) {
				t.Errorf("%s may not publish", who)
			}
		}
		if n.MayPublish(pc(0), "member@b") || n.MayPublish(pc(0), listed) {
			t.Error("a reader may publish")
		}
	}
}
