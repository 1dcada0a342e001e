package attacks

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
)

// signedIn is a technician's browser after a sign-in by a link of the management server.
func (st *stage) signedIn(name string) func(method, path, body string) (int, string) {
	st.t.Helper()
	_, text := st.s.Call(st.t, "POST", "/v1/technicians/"+name+"/link", "", http.StatusCreated)
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(text), &link); err != nil {
		st.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		st.t.Fatal(err)
	}
	browser := &http.Client{Transport: st.web.Transport, Jar: jar}
	do := func(method, path, body string) (int, string) {
		st.t.Helper()
		r, err := http.NewRequestWithContext(st.t.Context(), method, st.base()+"/console/api/"+path, strings.NewReader(body))
		if err != nil {
			st.t.Fatal(err)
		}
		r.Header.Set("Origin", st.base())
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Signalbox-Console", "1")
		resp, err := browser.Do(r)
		if err != nil {
			st.t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			st.t.Fatal(err)
		}
		return resp.StatusCode, string(data)
	}
	_, token, _ := strings.Cut(link.URL, "#/signin/")
	if status, text := do("POST", "signin/link", `{"token":"`+token+`"}`); status != http.StatusOK {
		st.t.Fatalf("sign-in: %d %s", status, text)
	}
	return do
}

// TestRow68Rights: a technician opens what a role of theirs allows on that endpoint, and nothing else; an endpoint that they may not see is one that there is not. The same goes
// for sessions of others. Each attempt is in the audit trail, and the endpoint hears nothing of it.
func TestRow68Rights(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1", "pc-2")
	st.s.Call(t, "PATCH", "/v1/endpoints/pc-1", `{"groups":["paris"]}`, http.StatusOK)
	st.s.Call(t, "POST", "/v1/roles", `{"name":"desk","kinds":["terminal"],"groups":["paris"]}`, http.StatusCreated)
	st.s.Call(t, "POST", "/v1/technicians", `{"name":"ada","roles":["desk"]}`, http.StatusCreated)
	ada := st.signedIn("ada")
	foreign := st.open("pc-2") // by the management server
	for _, kinds := range []string{`["terminal"]`, `["files"]`} {
		status, text := ada("POST", "sessions", `{"endpoint":"pc-2","kinds":`+kinds+`}`)
		none, unknown := ada("POST", "sessions", `{"endpoint":"pc-3","kinds":`+kinds+`}`)
		if status != http.StatusNotFound || status != none || strings.ReplaceAll(text, "pc-2", "pc-3") != unknown {
			t.Errorf("an endpoint of others: %d %s; one that there is not: %d %s", status, text, none, unknown)
		}
	}
	if status, text := ada("POST", "sessions", `{"endpoint":"pc-1","kinds":["terminal","files"]}`); status != http.StatusForbidden {
		t.Errorf("a kind that no role has: %d %s", status, text)
	}
	const unknown = "ses_06d5wq2k40000"
	for _, way := range []struct{ method, path, body string }{{"GET", "sessions/ID", ""}, {"DELETE", "sessions/ID", "{}"}, {"POST", "sessions/ID/credentials", "{}"}} {
		status, text := ada(way.method, strings.Replace(way.path, "ID", foreign.ID, 1), way.body)
		none, other := ada(way.method, strings.Replace(way.path, "ID", unknown, 1), way.body)
		if status != http.StatusNotFound || status != none || strings.ReplaceAll(text, foreign.ID, unknown) != other {
			t.Errorf("%s %s: %d %s; of no session: %d %s", way.method, way.path, status, text, none, other)
		}
	}
	st.wantRefusals([]string{
		"technician pc-1 role", "technician pc-2 role", "technician pc-2 role", "technician pc-3 role", "technician pc-3 role",
	})
	st.is(foreign, "connecting")
	for id, w := range st.ends {
		if got := w.ping(); got != "" {
			t.Errorf("%s got %s", id, got)
		}
	}
	if status, text := ada("POST", "sessions", `{"endpoint":"pc-1","kinds":["terminal"]}`); status != http.StatusCreated {
		t.Errorf("what the role allows: %d %s", status, text)
	}
}
