package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/access"
	"signalbox/internal/audit"
	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// fakeSessions is a broker with records and nothing behind them, which remembers what it was asked.
type fakeSessions struct {
	mu      sync.Mutex
	all     []remote.Session // the oldest first
	spec    remote.Spec      // of the last that was opened
	by      remote.Caller    // who asked last
	changed remote.Change
	fails   error // what all but reading answers
}

var sessionTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (f *fakeSessions) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = err
}

func (f *fakeSessions) Open(_ context.Context, domain string, spec remote.Spec, by remote.Caller) (remote.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spec, f.by = spec, by
	if f.fails != nil {
		return remote.Opened{}, f.fails
	}
	s := remote.Session{ID: remote.ID(len(f.all) + 1), Domain: domain, Spec: spec, By: by, State: remote.Requested, Created: sessionTime, Expires: sessionTime.Add(time.Hour)}
	s.MaxDuration, s.Spec.Consent.Mode, s.Transport = time.Hour, signalling.ModeAskDeny, signalling.TransportAuto
	f.all = append(f.all, s)
	return opened(s), nil
}

func opened(s remote.Session) remote.Opened {
	return remote.Opened{
		Session: s, Token: "secret-token", TokenExpires: sessionTime.Add(time.Minute),
		Servers: []signalling.ICEServer{{URLs: []string{"stun:turn.example.test"}}, {URLs: []string{"turn:turn.example.test"}, Username: "u", Credential: "secret-password"}},
	}
}

// at returns the record of an id, or nil.
func (f *fakeSessions) at(id remote.ID) *remote.Session {
	if id < 1 || int(id) > len(f.all) {
		return nil
	}
	return &f.all[id-1]
}

func (f *fakeSessions) Session(_ context.Context, _ string, id remote.ID) (remote.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.at(id); s != nil {
		return *s, nil
	}
	return remote.Session{}, remote.ErrUnknown
}

func (f *fakeSessions) List(_ context.Context, q remote.Query) (found []remote.Session, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.all) - 1; i >= 0 && len(found) < q.Limit; i-- {
		s := f.all[i]
		if (q.Before == 0 || s.ID < q.Before) && (q.State == "" || s.State == q.State) && (!q.Open || s.Open()) &&
			(q.Endpoint == "" || s.Endpoint == q.Endpoint) && (q.Technician == "" || s.Technician.ID == q.Technician) {
			found = append(found, s)
		}
	}
	return found, nil
}

// open returns a session that has not ended.
func (f *fakeSessions) open(id remote.ID, by remote.Caller) (*remote.Session, error) {
	f.by = by
	s := f.at(id)
	switch {
	case f.fails != nil:
		return nil, f.fails
	case s == nil:
		return nil, remote.ErrUnknown
	case !s.Open():
		return nil, &remote.EndedError{Reason: s.Reason}
	}
	return s, nil
}

func (f *fakeSessions) Change(_ context.Context, _ string, id remote.ID, c remote.Change, by remote.Caller) (remote.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = c
	s, err := f.open(id, by)
	if err != nil {
		return remote.Session{}, err
	}
	return *s, nil
}

func (f *fakeSessions) Renew(_ context.Context, _ string, id remote.ID, by remote.Caller) (remote.Opened, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.open(id, by)
	if err != nil {
		return remote.Opened{}, err
	}
	return opened(*s), nil
}

func (f *fakeSessions) End(_ context.Context, _ string, id remote.ID, reason string, by remote.Caller) (remote.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.open(id, by)
	if err == nil {
		s.State, s.Reason, s.Ended, s.Rung, s.BytesUp = remote.Ended, reason, sessionTime.Add(time.Minute), signalling.RungTURNUDP, 7
		s.Turn = 1
		return *s, nil
	}
	var ended *remote.EndedError
	if errors.As(err, &ended) {
		return *f.at(id), nil
	}
	return remote.Session{}, err
}

const someSession = `{"endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"why":"ticket 4711","kinds":["terminal","files"],"permissions":["terminal.type"],` +
	`"consent":{"mode":"ask_deny","timeout":30,"message":"May I?"},"notify_user":false,"transport":"turn_only","max_duration":600,"max_idle":120,"max_bytes":1000}`

// TestSessions: what the API takes and shows of a session from its opening to its end.
func TestSessions(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/sessions", someSession).ok(http.StatusCreated)
	want := remote.Spec{
		Endpoint: "pc-1", Technician: signalling.Technician{ID: "ann", Name: "Ann Lee"}, Why: "ticket 4711", Kinds: []string{"terminal", "files"}, Permissions: []string{"terminal.type"},
		Consent: signalling.ConsentMode{Mode: "ask_deny", Timeout: 30 * time.Second, Message: "May I?"}, Transport: "turn_only", MaxDuration: 10 * time.Minute, MaxIdle: 2 * time.Minute, MaxBytes: 1000,
	}
	mustEqual(t, "spec", want, w.sessions.spec)
	if w.sessions.by.Name != "only admin" || !strings.HasPrefix(w.sessions.by.Token, "tok_") {
		t.Errorf("caller = %+v", w.sessions.by)
	}
	const id = "ses_0000000000001"
	grant := `{"id":"` + id + `","state":"requested","endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"expires_at":"2026-01-02T04:04:05Z","token":"secret-token",` +
		`"token_expires_at":"2026-01-02T03:05:05Z","console_url":"https://push.example.test/console/#/session/` + id + `/secret-token","signalling_url":"wss://push.example.test/console/signal",` +
		`"ice_servers":[{"urls":["stun:turn.example.test"]},{"urls":["turn:turn.example.test"],"username":"u","credential":"secret-password"}]}`
	if got := strings.TrimSpace(string(made.body)); got != grant || made.header.Get("Location") != "/v1/sessions/"+id {
		t.Errorf("answer %s at %s\nwant   %s", got, made.header.Get("Location"), grant)
	}
	if got := w.do("POST", "/v1/sessions/"+id+"/credentials", "").ok(http.StatusOK); string(got.body) != string(made.body) {
		t.Errorf("renewed %s\nwant    %s", got.body, made.body)
	}
	facts := `"endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"opened_by":"only admin","why":"ticket 4711","kinds":["terminal","files"],"permissions":["terminal.type"],` +
		`"consent":{"mode":"ask_deny","timeout":30,"message":"May I?"},"notify_user":false,"transport":"auto","max_duration":3600,"max_idle":120,"max_bytes":1000,` +
		`"created_at":"2026-01-02T03:04:05Z","expires_at":"2026-01-02T04:04:05Z",`
	shown := `{"id":"` + id + `","state":"requested",` + facts + `"capabilities":[],"bytes_up":0,"bytes_down":0}`
	if got := strings.TrimSpace(string(w.do("GET", "/v1/sessions/"+id, "").ok(http.StatusOK).body)); got != shown {
		t.Errorf("session %s\nwant    %s", got, shown)
	}
	w.do("PATCH", "/v1/sessions/"+id, `{"max_duration":7200,"max_bytes":0}`).ok(http.StatusOK)
	if c := w.sessions.changed; c.MaxDuration == nil || *c.MaxDuration != 2*time.Hour || c.MaxIdle != nil || c.MaxBytes == nil || *c.MaxBytes != 0 {
		t.Errorf("change = %+v", c)
	}
	over := `{"id":"` + id + `","state":"ended","reason":"management_ended",` + facts + `"ended_at":"2026-01-02T03:05:05Z","path":"turn_udp","capabilities":[],"bytes_up":7,"bytes_down":0,"turn_session":"trn_0000000000001"}`
	for range 2 {
		if got := strings.TrimSpace(string(w.do("DELETE", "/v1/sessions/"+id, "").ok(http.StatusOK).body)); got != over {
			t.Errorf("ended %s\nwant  %s", got, over)
		}
	}
	w.do("PATCH", "/v1/sessions/"+id, `{}`).want(sessionEnded)
	w.do("POST", "/v1/sessions/"+id+"/credentials", "").want(sessionEnded)
	if list := string(w.do("GET", "/v1/sessions", "").ok(http.StatusOK).body); strings.Contains(list, "secret-") || !strings.Contains(list, over) {
		t.Errorf("list %s", list)
	}
	for _, e := range w.logs.All() {
		if line, _ := json.Marshal(e.ContextMap()); strings.Contains(e.Message+string(line), "secret-") {
			t.Errorf("log line %q %s has a secret", e.Message, line)
		}
	}
}

func mustEqual(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestSessionDefaults: what is left out is left to the broker.
func TestSessionDefaults(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/sessions", `{"endpoint":"pc-1","technician":{"id":"ann"},"kinds":["terminal"]}`).ok(http.StatusCreated)
	mustEqual(t, "spec", remote.Spec{Endpoint: "pc-1", Technician: signalling.Technician{ID: "ann"}, Kinds: []string{"terminal"}, NotifyUser: true}, w.sessions.spec)
}

func TestSessionMistakes(t *testing.T) {
	w := newWorld(t, Default())
	const start = `{"endpoint":"pc-1","technician":{"id":"ann"},"kinds":["terminal"]`
	for _, tc := range []struct{ name, body, pointers string }{
		{"no body", `{}`, "/endpoint"},
		{"no time", start + `,"max_duration":0}`, "/max_duration"},
		{"more than a day", start + `,"max_duration":86401,"max_idle":-1}`, "/max_duration /max_idle"},
		{"a huge number", start + `,"max_idle":9223372036854775807}`, "/max_idle"},
		{"no time to answer", start + `,"consent":{"timeout":0}}`, "/consent/timeout"},
		{"no permissions", start + `,"permissions":[]}`, "/permissions"},
		{"an unknown field", start + `,"technician_id":"ann"}`, "/technician_id"},
		{"an unknown field inside", `{"endpoint":"pc-1","technician":{"id":"ann","role":"x"},"kinds":["terminal"]}`, "/technician/role"},
		{"a text for a number", start + `,"max_bytes":"many"}`, "/max_bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			w.do("POST", "/v1/sessions", tc.body).want(validationFailed, strings.Fields(tc.pointers)...)
		})
	}
	w.t = t
	if n := len(w.sessions.all); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
	for _, id := range []string{"ses_0", "trn_0000000000001", "ses_0000000000009"} {
		w.do("GET", "/v1/sessions/"+id, "").want(unknownSession)
		w.do("DELETE", "/v1/sessions/"+id, "").want(unknownSession)
		w.do("PATCH", "/v1/sessions/"+id, `{}`).want(unknownSession)
		w.do("POST", "/v1/sessions/"+id+"/credentials", "").want(unknownSession)
	}
	w.do("GET", "/v1/sessions?state=closed", "").want(validationFailed, "state")
	w.do("GET", "/v1/sessions?cursor=c1dHJuXzA", "").want(validationFailed, "cursor")
}

// TestSessionRefusals: what the broker refuses has a problem of its own, which says why and when to come back.
func TestSessionRefusals(t *testing.T) {
	w := newWorld(t, Default())
	since := endpoint.Presence{State: endpoint.StateOffline, Since: sessionTime, Reason: "connection_lost"}
	for _, tc := range []struct {
		err      error
		kind     kind
		pointers string
		detail   string
		retry    string
	}{
		{&remote.OfflineError{Presence: since}, endpointOffline, "/endpoint", "offline since 2026-01-02T03:04:05Z (connection_lost)", ""},
		{&remote.OfflineError{}, endpointOffline, "/endpoint", "never online", ""},
		{&remote.LimitError{Of: remote.LimitTechnician, Max: 20}, tooManySessions, "", "The technician has as many open sessions as it may have, 20", "60"},
		{turnsession.FieldErrors{{Pointer: "/kinds/0", Detail: "it is x"}, {Pointer: "/why", Detail: "y"}}, validationFailed, "/kinds/0 /why", "", ""},
		{endpoint.ErrUnknown, unknownEndpoint, "/endpoint", "", ""},
		{endpoint.ErrDisabled, endpointDisabled, "/endpoint", "", ""},
		{endpoint.ErrFull, queueFull, "/endpoint", "", "30"},
		{remote.ErrUnavailable, busy, "", "", "1"},
		{remote.ErrNoTURN, turnOff, "", "", ""},
		{turnsession.ErrUnavailable, turnUnavailable, "", "", "2"},
		{turnsession.ErrTooMany, tooManyTURNSessions, "", "", "60"},
	} {
		w.sessions.fail(tc.err)
		a := w.do("POST", "/v1/sessions", someSession)
		p := a.want(tc.kind, strings.Fields(tc.pointers)...)
		if !strings.Contains(p.Detail, tc.detail) || a.header.Get("Retry-After") != tc.retry {
			t.Errorf("%v: %q, Retry-After %q", tc.err, p.Detail, a.header.Get("Retry-After"))
		}
	}
	w.sessions.fail(turnsession.FieldErrors{{Pointer: "/max_idle", Detail: "it is x"}})
	w.do("PATCH", "/v1/sessions/ses_0000000000001", `{"max_idle":-5}`).want(validationFailed, "/max_idle")
	if *w.sessions.changed.MaxIdle >= 0 {
		t.Errorf("change = %+v", *w.sessions.changed.MaxIdle)
	}
}

// TestSessionPages: lists go by pages, state, endpoint and technician.
func TestSessionPages(t *testing.T) {
	w := newWorld(t, Default())
	for _, who := range []string{"ann", "bob", "ann"} {
		w.do("POST", "/v1/sessions", `{"endpoint":"pc-`+who+`","technician":{"id":"`+who+`"},"kinds":["terminal"]}`).ok(http.StatusCreated)
	}
	w.do("DELETE", "/v1/sessions/ses_0000000000001", "").ok(http.StatusOK)
	for filter, want := range map[string]string{
		"": "3 2 1", "&state=open": "3 2", "&state=ended": "1", "&state=requested": "3 2", "&endpoint=pc-bob": "2", "&technician=ann": "3 1", "&technician=ann&state=open": "3",
	} {
		var got []string
		for cursor, more := "", true; more; {
			page := w.do("GET", "/v1/sessions?limit=1"+filter+cursor, "").ok(http.StatusOK).json()
			for _, item := range page["items"].([]any) {
				got = append(got, strings.TrimLeft(strings.TrimPrefix(item.(map[string]any)["id"].(string), "ses_"), "0"))
			}
			var next string
			next, more = page["next"].(string)
			cursor = "&cursor=" + next
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q lists %v, want %v", filter, got, want)
		}
	}
}

// TestAudit: the trail by pages and filters, with what the API itself has done, and who.
func TestAudit(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/tokens", `{"name":"n","scopes":["read"]}`).ok(http.StatusCreated)
	w.do("DELETE", "/v1/tokens/n", "").ok(http.StatusNoContent)
	page := w.do("GET", "/v1/audit?limit=2&actor=token:only+admin", "").ok(http.StatusOK).json()
	items := page["items"].([]any)
	if len(items) != 2 || page["next"] != nil {
		t.Fatalf("page = %v", page)
	}
	newest, before := items[0].(map[string]any), items[1].(map[string]any)
	if newest["action"] != "token.revoked" || before["action"] != "token.created" || newest["prev"] != before["hash"] || newest["seq"] != before["seq"].(float64)+1 ||
		newest["subject"] != before["subject"] || before["detail"].(map[string]any)["name"] != "n" {
		t.Errorf("entries = %v", items)
	}
	if err := w.audit.Record(audit.By(t.Context(), "x"), audit.Entry{At: sessionTime, Domain: "other.test", Actor: "technician:ann", Action: "technician.login"}); err != nil {
		t.Fatal(err)
	}
	if err := w.audit.Record(t.Context(), audit.Entry{At: sessionTime, Domain: domain, Actor: "technician:ann", Action: "technician.login", Subject: "ann"}); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]int{
		"": 9, "action=technician.": 1, "action=technician.login&actor=technician:ann&subject=ann": 1, "until=2026-01-02T03:04:06Z": 1, "from=2026-01-02T03:04:06Z": 8, "subject=nothing": 0,
	} {
		got := 0
		for cursor, more := "", true; more; {
			page := w.do("GET", "/v1/audit?limit=3&"+filter+cursor, "").ok(http.StatusOK).json()
			got += len(page["items"].([]any))
			var next string
			next, more = page["next"].(string)
			cursor = "&cursor=" + next
		}
		if got != want {
			t.Errorf("%q lists %d entries, want %d", filter, got, want)
		}
	}
	w.do("GET", "/v1/audit?from=yesterday&until=now", "").want(validationFailed, "from", "until")
	w.do("GET", "/v1/audit?cursor=c1eA", "").want(validationFailed, "cursor")
	w.send(request("GET", "/v1/audit", w.tokens[access.ScopeRead], "")).want(insufficientScope)
}

// The time that a user has is said with the bounds that hold.
func TestConsentTimeIsSaid(t *testing.T) {
	field, _ := reflect.TypeFor[sessionConsent]().FieldByName("Timeout")
	for name, want := range map[string]time.Duration{"minimum": remote.MinConsent, "maximum": remote.MaxConsent} {
		if got := field.Tag.Get(name); got != strconv.Itoa(int(want.Seconds())) {
			t.Errorf("%s = %s, want %v", name, got, want)
		}
	}
}
