package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/endpoint"
)

func TestEndpointLife(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret","labels":{"site":"paris"},"groups":["lab"]}`).ok(http.StatusCreated)
	got := made.json()
	delete(got, "created_at")
	delete(got, "updated_at")
	want := map[string]any{
		"id": "pc-1", "jid": "pc-1@example.test", "enabled": true, "labels": map[string]any{"site": "paris"}, "groups": []any{"lab"},
		"presence": map[string]any{"state": "never"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("created endpoint (-want +got):\n%s", diff)
	}
	if loc := made.header.Get("Location"); loc != "/v1/endpoints/pc-1" {
		t.Errorf("Location = %q", loc)
	}
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).want(endpointExists, "/id")

	changed := w.do("PATCH", "/v1/endpoints/pc-1", `{"labels":{"site":"rome"},"groups":[]}`).ok(http.StatusOK).json()
	if diff := cmp.Diff(map[string]any{"site": "rome"}, changed["labels"]); diff != "" || len(changed["groups"].([]any)) != 0 || changed["enabled"] != true {
		t.Errorf("changed endpoint = %v", changed)
	}
	w.do("DELETE", "/v1/endpoints/pc-1", "").ok(http.StatusNoContent)
	for _, r := range [][3]string{
		{"GET", "/v1/endpoints/pc-1", ""}, {"PATCH", "/v1/endpoints/pc-1", "{}"}, {"DELETE", "/v1/endpoints/pc-1", ""},
		{"GET", "/v1/endpoints/pc-1/presence", ""}, {"POST", "/v1/endpoints/pc-1/disconnect", ""}, {"POST", "/v1/endpoints/pc-1/secret", ""},
	} {
		w.do(r[0], r[1], r[2]).want(unknownEndpoint)
	}
}

func TestGeneratedSecretIsShownOnce(t *testing.T) {
	w := newWorld(t, Default())
	secret, _ := w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).ok(http.StatusCreated).json()["secret"].(string)
	if len(secret) < 20 {
		t.Fatalf("generated secret = %q", secret)
	}
	again, _ := w.do("POST", "/v1/endpoints/pc-1/secret", "").ok(http.StatusOK).json()["secret"].(string)
	if again == secret || len(again) < 20 {
		t.Errorf("new secret = %q after %q", again, secret)
	}
	given := w.do("POST", "/v1/endpoints/pc-1/secret", `{"secret":"chosen-one"}`).ok(http.StatusOK)
	shown := w.do("GET", "/v1/endpoints/pc-1", "").ok(http.StatusOK)
	for _, a := range []answer{given, shown} {
		if strings.Contains(string(a.body), `"secret"`) {
			t.Errorf("answer %s has a secret", a.body)
		}
	}
}

func TestWhatEndsASession(t *testing.T) {
	for _, tt := range []struct{ name, method, path, body, reason string }{
		{"disable", "PATCH", "", `{"enabled":false}`, "endpoint_disabled"},
		{"delete", "DELETE", "", "", "endpoint_deleted"},
		{"secret", "POST", "/secret", `{"secret":"another"}`, "secret_changed"},
		{"disconnect", "POST", "/disconnect", "", "disconnected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Default())
			w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`).ok(http.StatusCreated)
			session := &fakeSession{}
			w.registry.Bind(endpoint.Key{Domain: domain, ID: "pc-1"}, session)
			w.do(tt.method, "/v1/endpoints/pc-1"+tt.path, tt.body)
			if diff := cmp.Diff([]string{tt.reason}, session.reasons()); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDisconnectSaysWhetherThereWasASession(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`)
	if got := w.do("POST", "/v1/endpoints/pc-1/disconnect", "").ok(http.StatusOK).json()["disconnected"]; got != false {
		t.Errorf("disconnected = %v without a session", got)
	}
	w.registry.Bind(endpoint.Key{Domain: domain, ID: "pc-1"}, &fakeSession{})
	if got := w.do("POST", "/v1/endpoints/pc-1/disconnect", "").ok(http.StatusOK).json()["disconnected"]; got != true {
		t.Errorf("disconnected = %v with a session", got)
	}
}

func TestPresence(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`)
	if diff := cmp.Diff(map[string]any{"state": "never", "queued_pushes": 0.0}, w.do("GET", "/v1/endpoints/pc-1/presence", "").json()); diff != "" {
		t.Errorf("presence (-want +got):\n%s", diff)
	}
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"demo.ping"}`).ok(http.StatusAccepted)
	w.registry.Bind(endpoint.Key{Domain: domain, ID: "pc-1"}, &fakeSession{})
	got := w.do("GET", "/v1/endpoints/pc-1/presence", "").ok(http.StatusOK).json()
	delete(got, "since")
	delete(got, "session_since")
	delete(got, "last_heard")
	want := map[string]any{"state": "online", "resource": "agent", "via": "tls", "tls_version": "1.3", "sessions_last_minute": 1.0, "queued_pushes": 1.0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("presence (-want +got):\n%s", diff)
	}
}

func TestListEndpoints(t *testing.T) {
	w := newWorld(t, Default())
	for _, body := range []string{
		`{"id":"a-1","labels":{"site":"paris"}}`, `{"id":"a-2","groups":["lab"]}`, `{"id":"b-1","labels":{"site":"rome"},"groups":["lab"]}`,
	} {
		w.do("POST", "/v1/endpoints", body).ok(http.StatusCreated)
	}
	for _, tt := range []struct{ query, want string }{
		{"", "a-1 a-2 b-1"},
		{"?label=site%3Dparis", "a-1"},
		{"?group=lab", "a-2 b-1"},
		{"?q=a-", "a-1 a-2"},
		{"?state=never&group=lab&q=b", "b-1"},
		{"?state=online", ""},
	} {
		if got, _ := ids(w.do("GET", "/v1/endpoints"+tt.query, "").ok(http.StatusOK)); got != tt.want {
			t.Errorf("endpoints%s = %q, want %q", tt.query, got, tt.want)
		}
	}
	var pages []string
	next := "?limit=2"
	for next != "" {
		got, cursor := ids(w.do("GET", "/v1/endpoints"+next, "").ok(http.StatusOK))
		pages, next = append(pages, got), ""
		if cursor != "" {
			next = "?limit=2&cursor=" + cursor
		}
	}
	if diff := cmp.Diff([]string{"a-1 a-2", "b-1"}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func ids(a answer) (joined, next string) {
	var got []string
	body := a.json()
	for _, item := range body["items"].([]any) {
		got = append(got, item.(map[string]any)["id"].(string))
	}
	next, _ = body["next"].(string)
	return strings.Join(got, " "), next
}

func TestEndpointMistakes(t *testing.T) {
	w := newWorld(t, Default())
	long := strings.Repeat("x", 129)
	for _, tt := range []struct {
		name, body string
		places     []string
	}{
		{"no id", `{}`, []string{"/id"}},
		{"upper case", `{"id":"PC-1"}`, []string{"/id"}},
		{"long id", `{"id":"` + strings.Repeat("x", 257) + `"}`, []string{"/id"}},
		{"dot", `{"id":"."}`, []string{"/id"}},
		{"dots", `{"id":".."}`, []string{"/id"}},
		{"empty secret", `{"id":"a","secret":""}`, []string{"/secret"}},
		{"short secret", `{"id":"a","secret":"abc"}`, []string{"/secret"}},
		{"label name", `{"id":"a","labels":{"a=b":"c"}}`, []string{"/labels/a=b"}},
		{"label value", `{"id":"a","labels":{"a":"` + long + `"}}`, []string{"/labels/a"}},
		{"label control", `{"id":"a","labels":{"a":"x\u0000"}}`, []string{"/labels/a"}},
		{"empty group", `{"id":"a","groups":[""]}`, []string{"/groups/0"}},
		{"several", `{"id":"a","labels":{"b=":"","a=":""},"groups":["x",""]}`, []string{"/labels/a=", "/labels/b=", "/groups/1"}},
		{"null", `{"id":"a","enabled":null}`, []string{"/enabled"}},
		{"types", `{"id":1,"labels":[],"groups":{},"enabled":"yes"}`, []string{"/id", "/labels", "/groups", "/enabled"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.do("POST", "/v1/endpoints", tt.body).want(validationFailed, tt.places...)
		})
	}
	w.t = t
	for _, query := range []string{"?limit=0", "?limit=501", "?limit=x", "?state=green", "?cursor=x", "?label=site", "?colour=red"} {
		name, _, _ := strings.Cut(query[1:], "=")
		w.do("GET", "/v1/endpoints"+query, "").want(validationFailed, name)
	}
}
