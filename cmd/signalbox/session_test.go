package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/internal/client"
)

func aSession() client.Session {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	accepted, end := at.Add(5*time.Second), at.Add(time.Minute)
	return client.Session{
		ID: "ses_0sa4jhbsg0000", State: "ended", Reason: "user_ended", Detail: "he had enough", Endpoint: "pc-1", Technician: client.Technician{ID: "ann", Name: "Ann Lee"},
		OpenedBy: "management", Why: "ticket 4711", Kinds: []string{"terminal", "files"}, Permissions: []string{"terminal.type"},
		Consent: client.Consent{Mode: "ask_deny", Timeout: 30, State: "allowed", Desktop: "active"}, NotifyUser: true, Transport: "auto", MaxDuration: 3600, MaxIdle: 120, MaxBytes: 9,
		CreatedAt: at, ExpiresAt: at.Add(time.Hour), AcceptedAt: &accepted, EndedAt: &end, Path: "turn_udp", BytesUp: 5, BytesDown: 7,
		TURNSession: "trn_0sa4jhbsg0002",
	}
}

func TestSessionText(t *testing.T) {
	s := aSession()
	open := client.Session{ID: "ses_0sa4jhbsg0001", State: "requested", Endpoint: "pc-2", Technician: client.Technician{ID: "bob"}, Kinds: []string{"files"}, CreatedAt: s.CreatedAt}
	var one, list, grant strings.Builder
	for _, err := range []error{
		writeSession(&one, s), writeSessions(&list, []client.Session{s, open}),
		writeSessionGrant(&grant, client.SessionGrant{ID: s.ID, State: "requested", ConsoleURL: "https://x/console/#/session/y/z", TokenExpiresAt: *s.EndedAt, ExpiresAt: s.ExpiresAt}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ got, want string }{
		{one.String(), `id           ses_0sa4jhbsg0000
state        ended, user_ended
detail       he had enough
endpoint     pc-1
technician   ann (Ann Lee)
opened by    management
why          ticket 4711
kinds        terminal, files
permissions  terminal.type
consent      ask_deny (allowed, active)
transport    auto
path         turn_udp
limits       1h0m0s, idle 2m0s, 9 bytes
created      2026-01-02T03:04:05Z
accepted     2026-01-02T03:04:10Z
ended        2026-01-02T03:05:05Z
bytes        5 up, 7 down
turn         trn_0sa4jhbsg0002
`},
		{list.String(), `ID                 STATE              ENDPOINT  TECHNICIAN  KINDS           PATH      CREATED               ENDED
ses_0sa4jhbsg0000  ended, user_ended  pc-1      ann         terminal,files  turn_udp  2026-01-02T03:04:05Z  2026-01-02T03:05:05Z
ses_0sa4jhbsg0001  requested          pc-2      bob         files           -         2026-01-02T03:04:05Z  -
`},
		{grant.String(), `id       ses_0sa4jhbsg0000
state    requested
console  https://x/console/#/session/y/z
until    2026-01-02T03:05:05Z
ends     2026-01-02T04:04:05Z
`},
	} {
		if tt.got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", tt.got, tt.want)
		}
	}
}

// fakeAPI answers what commands ask, and remembers it.
type fakeAPI struct {
	status int // 0: 200

	mu      sync.Mutex
	answers map[string]any // by method and path with query
	asked   []string       // the same, with the body
}

func (f *fakeAPI) answer(what string, with any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[what] = with
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	what := r.Method + " " + r.URL.String()
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimSpace(what+" "+string(body)))
	answer := f.answers[what]
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if f.status != 0 {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(f.status)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(answer)
}

// serve runs the API until the test ends and points commands to it.
func (f *fakeAPI) serve(t *testing.T) {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	t.Setenv(envURL, srv.URL)
	t.Setenv(envToken, "sbx_test")
}

func (f *fakeAPI) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[len(f.asked)-1]
}

func TestSessionCommands(t *testing.T) {
	s := aSession()
	grant := client.SessionGrant{ID: s.ID, ConsoleURL: "https://x/console/#/session/y/z"}
	page := client.Page[client.Session]{Items: []client.Session{s}}
	f := &fakeAPI{answers: map[string]any{
		"POST /v1/sessions": grant, "POST /v1/sessions/" + s.ID + "/credentials": grant, "GET /v1/sessions/" + s.ID: s, "DELETE /v1/sessions/" + s.ID: s,
		"GET /v1/sessions?limit=100": page, "GET /v1/sessions?endpoint=pc-1&limit=5&state=open&technician=ann": page, "GET /v1/sessions?state=open": page,
	}}
	f.serve(t)
	for _, tt := range []struct{ args, asked, out string }{
		{
			"session open pc-1 --technician ann --name Ann --kind terminal,files --permission files.read --consent ask_deny --consent-timeout 30s --message May --why x --quiet" +
				" --transport turn_only --max-duration 10m --max-idle 2m --max-bytes 9",
			`POST /v1/sessions {"endpoint":"pc-1","technician":{"id":"ann","name":"Ann"},"why":"x","kinds":["terminal","files"],"permissions":["files.read"],` +
				`"consent":{"mode":"ask_deny","timeout":30,"message":"May"},"notify_user":false,"transport":"turn_only","max_duration":600,"max_idle":120,"max_bytes":9}`,
			"console  https://x/console/#/session/y/z",
		},
		{
			"session open pc-1 -o json", `POST /v1/sessions {"endpoint":"pc-1","technician":{"id":"` + userName() + `"},"kinds":["terminal"]}`,
			`"console_url": "https://x/console/#/session/y/z"`,
		},
		{"session list", "GET /v1/sessions?limit=100", "ses_0sa4jhbsg0000  ended, user_ended"},
		{"session list --state open --endpoint pc-1 --technician ann --limit 5 -o json", "GET /v1/sessions?endpoint=pc-1&limit=5&state=open&technician=ann", `"id": "ses_0sa4jhbsg0000"`},
		{"session show " + s.ID, "GET /v1/sessions/" + s.ID, "technician   ann (Ann Lee)"},
		{"session renew " + s.ID, "POST /v1/sessions/" + s.ID + "/credentials", "console  https://x/console/#/session/y/z"},
		{"session end " + s.ID + " -o json", "DELETE /v1/sessions/" + s.ID, `"reason": "user_ended"`},
		{"__complete session end ses_", "GET /v1/sessions?state=open", "ses_0sa4jhbsg0000\tann with pc-1"},
	} {
		out, said, code := command(t, strings.Fields(tt.args)...)
		if code != exitOK || f.last() != tt.asked || !strings.Contains(out, tt.out) {
			t.Errorf("%s: status %d, asked %s\nwant %s\nsaid %s%s", tt.args, code, f.last(), tt.asked, out, said)
		}
	}
	for flag, want := range map[string]string{"--state": "waiting_for_consent", "--kind": "processes", "--permission": "files.write", "--consent": "ask_allow", "--transport": "websocket_only"} {
		verb := "open"
		if flag == "--state" {
			verb = "list"
		}
		if out, _, _ := command(t, "__complete", "session", verb, flag, ""); !strings.Contains(out, want+"\n") {
			t.Errorf("%s completes %q", flag, out)
		}
	}
}

// TestSessionCommandsFail with the status that says whose fault it is.
func TestSessionCommandsFail(t *testing.T) {
	f := &fakeAPI{status: http.StatusConflict, answers: map[string]any{
		"POST /v1/sessions": map[string]any{"type": "/problems/endpoint-offline", "title": "The endpoint is not online", "status": 409, "code": "endpoint_offline", "detail": "It is offline."},
	}}
	f.serve(t)
	for _, tt := range []struct {
		args string
		code int
		said string
	}{
		{"session open pc-1", exitFailed, "It is offline."},
		{"session open", exitUsage, "accepts 1 arg"},
		{"session open pc-1 --max-idle 90ms", exitUsage, "--max-idle 90ms: must be whole seconds"},
		{"session open pc-1 --consent-timeout -1s --max-duration 1500ms", exitUsage, "--max-duration"},
		{"session list -o xml", exitUsage, "must be text or json"},
	} {
		if _, said, code := command(t, strings.Fields(tt.args)...); code != tt.code || !strings.Contains(said, tt.said) {
			t.Errorf("%s: status %d, said %s", tt.args, code, said)
		}
	}
}
