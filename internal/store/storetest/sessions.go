package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"signalbox/internal/audit"
	"signalbox/internal/events"
	"signalbox/internal/remote"
)

var sessionTests = map[string]func(*testing.T, Subject){
	"sessions/every field":      testSessionFields,
	"sessions/life":             testSessionLife,
	"sessions/list":             testSessionList,
	"sessions/deleted endpoint": testSessionOfDeletedEndpoint,
	"sessions/refused":          testSessionRefused,
}

// session is an open one.
func session(id remote.ID) remote.Session {
	s := remote.Session{ID: id, Domain: domain, State: remote.Requested, By: remote.Caller{Token: "tok_1", Name: "management"}, Created: day, Expires: day.Add(time.Hour)}
	s.Endpoint, s.Technician.ID, s.Technician.Name = "pc-1", "ann", "Ann Lee"
	s.Kinds, s.Permissions, s.Why, s.Transport, s.MaxDuration = []string{"terminal", "files"}, []string{"terminal.type"}, "ticket <4711>", "auto", time.Hour
	return s
}

// act is an entry about a session.
func act(action string) audit.Entry {
	return audit.Entry{At: day, Actor: "token:management", Action: action, Detail: json.RawMessage(`{"n":1}`)}
}

func mustCreate(t *testing.T, s Subject, r remote.Session) {
	t.Helper()
	noError(t, s.CreateRemoteSession(t.Context(), r, act(audit.SessionRequested)))
}

func mustSession(t *testing.T, s Subject, id remote.ID) remote.Session {
	t.Helper()
	r, err := s.RemoteSession(t.Context(), domain, id)
	noError(t, err)
	return r
}

// fill puts something into every field, each time something else.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text <", *n, ">"))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(*n * int64(time.Second))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Array:
		reflect.Copy(v, reflect.ValueOf(fmt.Appendf(nil, "%032d", *n)))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(day.Add(time.Duration(*n) * time.Microsecond)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

// testSessionFields: every field of a record is kept, also one that nobody thought of here.
func testSessionFields(t *testing.T, s Subject) {
	var want, other remote.Session
	n := int64(0)
	fill(reflect.ValueOf(&want).Elem(), &n)
	want.Domain = domain
	noError(t, s.CreateRemoteSession(t.Context(), want, act(audit.SessionRequested)))
	diff(t, "created", mustSession(t, s, want.ID), want)
	fill(reflect.ValueOf(&other).Elem(), &n)
	other.ID, other.Domain, other.Endpoint, other.Technician.ID = want.ID, want.Domain, want.Endpoint, want.Technician.ID
	noError(t, s.SaveRemoteSession(t.Context(), other, nil, false))
	diff(t, "saved", mustSession(t, s, want.ID), other)
}

// testSessionLife: each change has its entry in the trail and, where it is news, its event.
func testSessionLife(t *testing.T, s Subject) {
	addEndpoint(t, s, "pc-1")
	r := session(7)
	mustCreate(t, s, r)
	r.State, r.Consent = remote.Connecting, "allowed"
	r.Accepted = day.Add(5 * time.Second)
	entry := act(audit.SessionAccepted)
	noError(t, s.SaveRemoteSession(t.Context(), r, &entry, true))
	entry = act(audit.SessionPath)
	r.Rung = "turn_udp"
	noError(t, s.SaveRemoteSession(t.Context(), r, &entry, false))
	r.BytesUp, r.BytesDown = 5, 7
	noError(t, s.SaveRemoteSession(t.Context(), r, nil, true)) // nothing was done: no news
	r.State, r.Reason, r.Detail, r.Ended = remote.Ended, "user_ended", "he said so", day.Add(time.Minute)
	entry = act(audit.SessionEnded)
	noError(t, s.SaveRemoteSession(t.Context(), r, &entry, true))
	diff(t, "record", mustSession(t, s, 7), r)

	trail, err := s.AuditEntries(t.Context(), audit.Query{Limit: 10})
	noError(t, err)
	diff(t, "trail", ids(trail, func(e audit.Entry) string { return e.Action }), "session.ended session.path session.accepted session.requested")
	for _, e := range trail {
		if e.Domain != domain || e.Subject != "ses_0000000000007" || e.Actor != "token:management" || string(e.Detail) != `{"n":1}` || !e.At.Equal(day) {
			t.Errorf("entry = %+v", e)
		}
	}
	all := readEvents(t, s, 0, 10)
	diff(t, "events", typesOf(all), "endpoint.created session.requested session.accepted session.ended")
	for _, e := range all {
		if e.Endpoint != "pc-1" || e.Domain != domain {
			t.Errorf("event = %+v", e)
		}
	}
	const common = `{"id":"ses_0000000000007","endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"opened_by":"management","why":"ticket <4711>","kinds":["terminal","files"],"state":`
	expires := `"expires_at":"` + r.Expires.Format(time.RFC3339Nano) + `",`
	diff(t, "first event", string(all[1].Data), common+`"requested",`+expires+`"seconds":0,"bytes_up":0,"bytes_down":0}`)
	diff(t, "last event", string(all[3].Data), common+`"ended",`+expires+
		`"consent":"allowed","path":"turn_udp","reason":"user_ended","detail":"he said so","seconds":60,"bytes_up":5,"bytes_down":7}`)
}

// testSessionList: by endpoint, technician, state and page, the newest first.
func testSessionList(t *testing.T, s Subject) {
	for id, change := range map[remote.ID]func(*remote.Session){
		1: func(r *remote.Session) { r.State, r.Ended = remote.Ended, day },
		2: func(r *remote.Session) { r.Endpoint = "pc-2" },
		3: func(r *remote.Session) { r.Technician.ID = "bob" },
		4: func(r *remote.Session) { r.State = remote.Active },
		5: func(r *remote.Session) { r.Domain = "other.example" },
		6: func(*remote.Session) {},
	} {
		r := session(id)
		change(&r)
		mustCreate(t, s, r)
	}
	for _, tt := range []struct {
		q    remote.Query
		want string
	}{
		{remote.Query{}, "6 4 3 2 1"},
		{remote.Query{Limit: 2}, "6 4"},
		{remote.Query{Before: 4}, "3 2 1"},
		{remote.Query{Endpoint: "pc-2"}, "2"},
		{remote.Query{Technician: "bob"}, "3"},
		{remote.Query{Technician: "ann", Endpoint: "pc-1"}, "6 4 1"},
		{remote.Query{State: remote.Active}, "4"},
		{remote.Query{State: remote.Ended}, "1"},
		{remote.Query{Open: true}, "6 4 3 2"},
		{remote.Query{Open: true, Endpoint: "pc-1", Technician: "ann", Before: 6}, "4"},
		{remote.Query{Domain: "other.example"}, "5"},
		{remote.Query{Domain: "nowhere.example"}, ""},
	} {
		q := tt.q
		if q.Domain == "" {
			q.Domain = domain
		}
		if q.Limit == 0 {
			q.Limit = 10
		}
		all, err := s.RemoteSessions(t.Context(), q)
		noError(t, err)
		diff(t, fmt.Sprintf("list %+v", tt.q), ids(all, func(r remote.Session) string { return fmt.Sprint(int64(r.ID)) }), tt.want)
	}
	open, err := s.OpenRemoteSessions(t.Context())
	noError(t, err)
	diff(t, "open", ids(open, func(r remote.Session) string { return fmt.Sprint(int64(r.ID)) }), "2 3 4 5 6")
}

// testSessionOfDeletedEndpoint: its end is news of the server, which names the endpoint.
func testSessionOfDeletedEndpoint(t *testing.T, s Subject) {
	k := addEndpoint(t, s, "pc-1")
	r := session(7)
	mustCreate(t, s, r)
	noError(t, s.DeleteEndpoint(t.Context(), k))
	r.State, r.Reason, r.Ended = remote.Ended, "endpoint_removed", day
	entry := act(audit.SessionEnded)
	noError(t, s.SaveRemoteSession(t.Context(), r, &entry, true))
	all := readEvents(t, s, 0, 10)
	last := all[len(all)-1]
	var data struct{ Endpoint string }
	noError(t, json.Unmarshal(last.Data, &data))
	if last.Type != events.SessionEnded || last.Endpoint != "" || data.Endpoint != "pc-1" {
		t.Errorf("event = %+v", last)
	}
}

// testSessionRefused: what cannot be written leaves nothing.
func testSessionRefused(t *testing.T, s Subject) {
	entry := act(audit.SessionEnded)
	if err := s.SaveRemoteSession(t.Context(), session(7), &entry, true); !errors.Is(err, remote.ErrUnknown) {
		t.Errorf("SaveRemoteSession of nothing = %v", err)
	}
	if _, err := s.RemoteSession(t.Context(), domain, 7); !errors.Is(err, remote.ErrUnknown) {
		t.Errorf("RemoteSession of nothing = %v", err)
	}
	mustCreate(t, s, session(7))
	if _, err := s.RemoteSession(t.Context(), "other.example", 7); !errors.Is(err, remote.ErrUnknown) {
		t.Errorf("RemoteSession of another domain = %v", err)
	}
	if err := s.CreateRemoteSession(t.Context(), session(7), act(audit.SessionRequested)); err == nil {
		t.Error("an id is given twice")
	}
	changed := session(7)
	changed.State = remote.Active
	for _, action := range []string{"session", "session.unheard_of"} {
		entry := act(action)
		if err := s.SaveRemoteSession(t.Context(), changed, &entry, true); err == nil {
			t.Errorf("an event %q is written", action)
		}
	}
	if r := mustSession(t, s, 7); r.State != remote.Requested {
		t.Errorf("state = %s", r.State)
	}
	trail, err := s.AuditEntries(t.Context(), audit.Query{Limit: 10})
	noError(t, err)
	diff(t, "trail", ids(trail, func(e audit.Entry) string { return e.Action }), "session.requested")
	diff(t, "events", typesOf(readEvents(t, s, 0, 10)), "session.requested")
}
