package storetest

import (
	"errors"
	"testing"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/push"
)

func testCreateEndpoint(t *testing.T, s Subject) {
	e := endpoint.Endpoint{
		Key: key("pc-1"), Enabled: true, Labels: map[string]string{"site": "paris", `odd "name`: "a=b"}, Groups: []string{"lab", "büro"}, Created: day, Updated: day,
	}
	noError(t, s.CreateEndpoint(t.Context(), e, endpoint.Secret{}))
	got, err := s.Endpoint(t.Context(), key("pc-1"))
	noError(t, err)
	diff(t, "endpoint", got, endpoint.Record{Endpoint: e, Presence: endpoint.Presence{State: endpoint.StateNever}})

	if err := s.CreateEndpoint(t.Context(), e, endpoint.Secret{}); !errors.Is(err, endpoint.ErrExists) {
		t.Errorf("CreateEndpoint of an existing one = %v, want ErrExists", err)
	}
	if _, err := s.Endpoint(t.Context(), key("pc-2")); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("Endpoint = %v, want ErrUnknown", err)
	}

	addEndpoint(t, s, "plain")
	got, err = s.Endpoint(t.Context(), key("plain"))
	noError(t, err)
	if got.Labels == nil || got.Groups == nil {
		t.Errorf("Labels = %#v, Groups = %#v, want both empty and not nil", got.Labels, got.Groups)
	}
}

func testUpdateEndpoint(t *testing.T, s Subject) {
	e := endpoint.Endpoint{Key: key("pc-1"), Enabled: true, Labels: map[string]string{"a": "1"}, Groups: []string{"g"}, Created: day, Updated: day}
	noError(t, s.CreateEndpoint(t.Context(), e, endpoint.Secret{Fast: []byte("old")}))
	no := false
	later := day.Add(time.Hour)
	steps := []struct {
		name  string
		patch endpoint.Patch
		want  func()
	}{
		{"nothing", endpoint.Patch{}, func() {}},
		{"disable", endpoint.Patch{Enabled: &no}, func() { e.Enabled = false }},
		{"labels", endpoint.Patch{Labels: map[string]string{"b": "2"}}, func() { e.Labels = map[string]string{"b": "2"} }},
		{"groups", endpoint.Patch{Groups: []string{}}, func() { e.Groups = []string{} }},
		{"secret", endpoint.Patch{Secret: &endpoint.Secret{Fast: []byte("new")}}, func() {}},
	}
	for _, step := range steps {
		later = later.Add(time.Second)
		step.want()
		e.Updated = later
		got, err := s.UpdateEndpoint(t.Context(), e.Key, step.patch, later)
		noError(t, err)
		diff(t, step.name+": returned endpoint", got, e)
		stored, err := s.Endpoint(t.Context(), e.Key)
		noError(t, err)
		diff(t, step.name+": stored endpoint", stored.Endpoint, e)
	}
	secret, enabled, err := s.EndpointSecret(t.Context(), e.Key)
	noError(t, err)
	if string(secret.Fast) != "new" || enabled {
		t.Errorf("EndpointSecret = %q, %v, want the new secret of a disabled endpoint", secret.Fast, enabled)
	}
	if _, err := s.UpdateEndpoint(t.Context(), key("pc-2"), endpoint.Patch{}, later); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("UpdateEndpoint = %v, want ErrUnknown", err)
	}
}

func testDeleteEndpoint(t *testing.T, s Subject) {
	other := addEndpoint(t, s, "pc-2")
	k := addEndpoint(t, s, "pc-1") // the newest, whose row number may be given out again
	gone := accept(t, s, push.Push{To: k, Payload: []byte("{}")})
	kept := accept(t, s, push.Push{To: other, Payload: []byte("{}")})
	s.SavePresence(k, endpoint.Presence{State: endpoint.StateOnline, Since: day})
	flush(t, s)

	before, err := s.Events(t.Context())
	noError(t, err)
	begin := time.Now().Truncate(time.Microsecond)
	noError(t, s.DeleteEndpoint(t.Context(), k))
	events, err := s.Events(t.Context())
	noError(t, err)
	if len(events) != len(before)+1 {
		t.Fatalf("%d events of the end of an endpoint, want one: its pushes need none", len(events)-len(before))
	}
	last := events[len(before)]
	if last.At.Before(begin) || last.At.After(time.Now()) {
		t.Errorf("the end of the endpoint is of %s, want now", last.At)
	}
	last.At = time.Time{}
	diff(t, "event", last, Event{Kind: "endpoint.deleted", Domain: domain, Subject: "pc-1", Data: "{}"})
	if _, err := s.Endpoint(t.Context(), k); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("Endpoint = %v, want ErrUnknown", err)
	}
	if _, err := s.Push(t.Context(), domain, gone.ID); !errors.Is(err, push.ErrUnknown) {
		t.Errorf("Push = %v, want ErrUnknown", err)
	}
	mustPush(t, s, kept.ID)
	if err := s.DeleteEndpoint(t.Context(), k); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("second DeleteEndpoint = %v, want ErrUnknown", err)
	}

	// A new endpoint of the same name starts with nothing.
	s.SavePresence(k, endpoint.Presence{State: endpoint.StateOffline, Since: day}) // of the one that is gone
	flush(t, s)
	addEndpoint(t, s, "pc-1")
	got, err := s.Endpoint(t.Context(), k)
	noError(t, err)
	waiting, err := s.WaitingPushes(t.Context(), k, push.Cursor{}, 10)
	noError(t, err)
	if got.Presence.State != endpoint.StateNever || len(waiting) != 0 {
		t.Errorf("presence %s and %d pushes survived the endpoint", got.Presence.State, len(waiting))
	}
}

func testQueryEndpoints(t *testing.T, s Subject) {
	for _, e := range []endpoint.Endpoint{
		{Key: key("a-1"), Labels: map[string]string{"site": "paris", "os": "linux"}, Groups: []string{"lab"}},
		{Key: key("a-2"), Labels: map[string]string{"site": "rome"}, Groups: []string{"lab", "büro"}},
		{Key: key("a_2"), Labels: map[string]string{"eq": "x=y", `odd "nämé\`: "1"}},
		{Key: key("b-1"), Labels: map[string]string{"site": "paris"}, Groups: []string{"labs"}},
		{Key: endpoint.Key{Domain: "other.example", ID: "a-1"}, Groups: []string{"lab"}},
	} {
		noError(t, s.CreateEndpoint(t.Context(), e, endpoint.Secret{}))
	}
	s.SavePresence(key("a-2"), endpoint.Presence{State: endpoint.StateOnline, Since: day})
	s.SavePresence(key("b-1"), endpoint.Presence{State: endpoint.StateOffline, Since: day})
	flush(t, s)
	for _, test := range []struct {
		name  string
		query endpoint.Query
		want  string
	}{
		{"all", endpoint.Query{}, "a-1 a-2 a_2 b-1"},
		{"first page", endpoint.Query{Limit: 2}, "a-1 a-2"},
		{"next page", endpoint.Query{After: "a-2", Limit: 2}, "a_2 b-1"},
		{"online", endpoint.Query{State: endpoint.StateOnline}, "a-2"},
		{"offline", endpoint.Query{State: endpoint.StateOffline}, "b-1"},
		{"never", endpoint.Query{State: endpoint.StateNever}, "a-1 a_2"},
		{"label", endpoint.Query{Label: "site=paris"}, "a-1 b-1"},
		{"label with = in its value", endpoint.Query{Label: "eq=x=y"}, "a_2"},
		{"label that is a prefix", endpoint.Query{Label: "site=par"}, ""},
		{"label with an odd name", endpoint.Query{Label: `odd "nämé\=1`}, "a_2"},
		{"group", endpoint.Query{Group: "lab"}, "a-1 a-2"},
		{"group beyond ASCII", endpoint.Query{Group: "büro"}, "a-2"},
		{"part of the id", endpoint.Query{Search: "-1"}, "a-1 b-1"},
		{"no wildcards", endpoint.Query{Search: "a_"}, "a_2"},
		{"together", endpoint.Query{Search: "a", Group: "lab", State: endpoint.StateOnline}, "a-2"},
		{"other domain", endpoint.Query{Domain: "other.example"}, "a-1"},
	} {
		if test.query.Domain == "" {
			test.query.Domain = domain
		}
		if test.query.Limit == 0 {
			test.query.Limit = 100
		}
		all, err := s.Endpoints(t.Context(), test.query)
		noError(t, err)
		if got := ids(all, func(r endpoint.Record) string { return r.ID }); got != test.want {
			t.Errorf("%s: Endpoints = %q, want %q", test.name, got, test.want)
		}
	}
}

// testDomains checks that one id in two domains is two endpoints.
func testDomains(t *testing.T, s Subject) {
	here, there := addEndpoint(t, s, "pc-1"), endpoint.Key{Domain: "other.example", ID: "pc-1"}
	noError(t, s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: there, Enabled: true}, endpoint.Secret{}))
	st := accept(t, s, push.Push{To: there})
	if _, err := s.Push(t.Context(), domain, st.ID); !errors.Is(err, push.ErrUnknown) {
		t.Errorf("Push through the wrong domain = %v, want ErrUnknown", err)
	}
	for _, k := range []endpoint.Key{here, {Domain: domain}} {
		all, err := s.Pushes(t.Context(), k, "", 0, 10)
		noError(t, err)
		if len(all) != 0 {
			t.Errorf("Pushes(%v) = %d pushes of another domain", k, len(all))
		}
	}
	noError(t, s.DeleteEndpoint(t.Context(), here))
	if _, err := s.Push(t.Context(), there.Domain, st.ID); err != nil {
		t.Errorf("push of the other domain went with the endpoint: %v", err)
	}
}

func testSecret(t *testing.T, s Subject) {
	_, secret, err := endpoint.GenerateSecret()
	noError(t, err)
	noError(t, s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: key("pc-1"), Enabled: true}, secret))
	got, enabled, err := s.EndpointSecret(t.Context(), key("pc-1"))
	noError(t, err)
	diff(t, "secret", got, secret)
	if !enabled {
		t.Error("enabled = false, want true")
	}
	if _, _, err := s.EndpointSecret(t.Context(), key("pc-2")); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("EndpointSecret = %v, want ErrUnknown", err)
	}
}

func testSavePresence(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	online := endpoint.Presence{
		State: endpoint.StateOnline, Since: day, LastHeard: day.Add(time.Second), Resource: "agent", RemoteAddr: "192.0.2.1:5000", Via: link.ViaTLS, TLSVersion: "1.3",
	}
	offline := online
	offline.State, offline.Since, offline.Reason = endpoint.StateOffline, day.Add(time.Minute), "silent"
	for _, p := range []endpoint.Presence{online, offline, {State: endpoint.StateOnline, LastEnd: offline.Since, LastReason: "silent"}} {
		s.SavePresence(k, p)
		flush(t, s)
		got, err := s.Endpoint(t.Context(), k)
		noError(t, err)
		diff(t, "presence", got.Presence, p)
	}
	s.SavePresence(key("unknown"), online)
	flush(t, s)
	if _, err := s.Endpoint(t.Context(), key("unknown")); !errors.Is(err, endpoint.ErrUnknown) {
		t.Errorf("Endpoint = %v, want ErrUnknown: a presence creates no endpoint", err)
	}

	// The same presence again, heard of later, is no event.
	again := online
	for range 2 {
		again.LastHeard = again.LastHeard.Add(time.Hour)
		s.SavePresence(k, again)
		flush(t, s)
	}
	events, err := s.Events(t.Context())
	noError(t, err)
	want := "endpoint.online endpoint.offline endpoint.online endpoint.online"
	if got := ids(events, func(e Event) string { return e.Kind }); got != want {
		t.Errorf("events = %q, want %q", got, want)
	}
	diff(t, "event", events[1], Event{
		Kind: "endpoint.offline", Domain: domain, Subject: "pc-1", At: offline.Since,
		Data: `{"reason":"silent","resource":"agent","remote_addr":"192.0.2.1:5000","via":"tls","tls_version":"1.3"}`,
	})
}

func testEndPresences(t *testing.T, s Subject) {
	for id, state := range map[string]endpoint.State{"on-1": endpoint.StateOnline, "on-2": endpoint.StateOnline, "off": endpoint.StateOffline} {
		s.SavePresence(addEndpoint(t, s, id), endpoint.Presence{State: state, Since: day, Resource: "agent"})
	}
	addEndpoint(t, s, "never")
	flush(t, s)
	now := day.Add(time.Hour)
	noError(t, s.EndPresences(t.Context(), endpoint.ReasonRestarted, now, now))
	ended := endpoint.Presence{State: endpoint.StateOffline, Since: now, Resource: "agent", Reason: endpoint.ReasonRestarted.Name}
	for id, want := range map[string]endpoint.Presence{
		"on-1": ended, "on-2": ended, "off": {State: endpoint.StateOffline, Since: day, Resource: "agent"}, "never": {State: endpoint.StateNever},
	} {
		got, err := s.Endpoint(t.Context(), key(id))
		noError(t, err)
		diff(t, id, got.Presence, want)
	}
	events, err := s.Events(t.Context())
	noError(t, err)
	if len(events) != 5 {
		t.Errorf("%d events, want 3 of the presences and 2 of their end", len(events))
	}
}
