package tests

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/tests/harness"
)

// badRequest is a request that must be refused.
type badRequest struct {
	name        string
	method      string // empty: POST
	path        string // empty: /v1/pushes
	token       string // $admin, $reader, or what goes into the header as it is; empty: $admin
	contentType string // empty: application/json
	header      http.Header
	body        string

	status int
	code   string
	advice string // a part of the detail, or of where the mistake is
}

func badRequests() []badRequest {
	const good = `{"to":"pc-1","type":"demo.one"}`
	large := strings.Repeat("x", 64<<10)
	return []badRequest{
		{name: "no JSON", body: `to=pc-1`, status: 400, code: "malformed_json", advice: "JSON"},
		{name: "cut JSON", body: `{"to":"pc-1",`, status: 400, code: "malformed_json", advice: "JSON"},
		{name: "two documents", body: good + good, status: 400, code: "malformed_json", advice: "JSON"},
		{name: "nothing", body: "", status: 400, code: "malformed_json", advice: "empty"},
		{name: "invalid UTF-8", body: "{\"to\":\"pc-1\",\"type\":\"\xff\"}", status: 400, code: "malformed_json", advice: "UTF-8"},
		{name: "nested too deep", body: `{"to":"pc-1","type":"demo.one","payload":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, status: 400,
			code: "malformed_json", advice: "deep"},
		{name: "unknown field", body: `{"to":"pc-1","type":"demo.one","colour":"red"}`, status: 422, code: "validation_failed", advice: "/colour"},
		{name: "field twice", body: `{"to":"pc-1","to":"pc-2","type":"demo.one"}`, status: 422, code: "validation_failed", advice: "/to"},
		{name: "field in another case", body: `{"To":"pc-1","type":"demo.one"}`, status: 422, code: "validation_failed", advice: "/To"},
		{name: "wrong type of value", body: `{"to":"pc-1","type":7}`, status: 422, code: "validation_failed", advice: "/type"},
		{name: "no target", body: `{"type":"demo.one"}`, status: 422, code: "validation_failed", advice: "/to"},
		{name: "TTL too long", body: `{"to":"pc-1","type":"demo.one","ttl":2419201}`, status: 422, code: "validation_failed", advice: "/ttl"},
		{name: "negative TTL", body: `{"to":"pc-1","type":"demo.one","ttl":-1}`, status: 422, code: "validation_failed", advice: "/ttl"},
		{name: "unknown priority", body: `{"to":"pc-1","type":"demo.one","priority":"urgent"}`, status: 422, code: "validation_failed", advice: "/priority"},
		{name: "unknown acknowledgement", body: `{"to":"pc-1","type":"demo.one","ack":"maybe"}`, status: 422, code: "validation_failed", advice: "/ack"},
		{name: "bad base64", body: `{"to":"pc-1","type":"demo.one","payload_base64":"%"}`, status: 422, code: "validation_failed", advice: "/payload_base64"},
		{name: "unknown endpoint", body: `{"to":"pc-9","type":"demo.one"}`, status: 404, code: "unknown_endpoint", advice: "/to"},
		{name: "disabled endpoint", body: `{"to":"pc-off","type":"demo.one"}`, status: 409, code: "endpoint_disabled", advice: "/to"},
		{name: "endpoint exists", path: "/v1/endpoints", body: `{"id":"pc-1"}`, status: 409, code: "endpoint_exists", advice: "/id"},
		{name: "endpoint id that is none", path: "/v1/endpoints", body: `{"id":"pc 1"}`, status: 422, code: "validation_failed", advice: "/id"},
		{name: "payload too large", body: `{"to":"pc-1","type":"demo.one","payload":"` + large + `"}`, status: 413, code: "payload_too_large", advice: "/payload"},
		{name: "body too large", body: `{"to":"pc-1","type":"demo.one","payload":"` + strings.Repeat(large, 17) + `"}`, status: 413, code: "payload_too_large",
			advice: "1048576"},
		{name: "endpoint too large", path: "/v1/endpoints", body: `{"id":"pc-3","labels":{"a":"` + strings.Repeat(large, 5) + `"}}`, status: 413, code: "payload_too_large",
			advice: "262144"},
		{name: "no token", token: "-", body: good, status: 401, code: "missing_token", advice: "Bearer"},
		{name: "wrong token", token: "Bearer sbx_0123456789", body: good, status: 401, code: "invalid_token", advice: "token list"},
		{name: "another scheme", token: "Basic cGM6cGM=", body: good, status: 401, code: "invalid_token", advice: "bearer"},
		{name: "wrong scope", token: "$reader", body: good, status: 403, code: "insufficient_scope", advice: "scope push"},
		{name: "wrong scope to delete", method: "DELETE", path: "/v1/endpoints/pc-1", token: "$reader", status: 403, code: "insufficient_scope", advice: "scope endpoints"},
		{name: "token in the URL", path: "/v1/pushes?token=sbx_1", body: good, status: 400, code: "token_in_query", advice: "header"},
		{name: "unknown path", path: "/v1/nothing", body: good, status: 404, code: "not_found", advice: "/docs"},
		{name: "path with dots", path: "/v1/endpoints/../pushes", body: good, status: 400, code: "bad_request", advice: "path"},
		{name: "wrong method", method: "PUT", body: good, status: 405, code: "method_not_allowed", advice: "Allow"},
		{name: "wrong content type", contentType: "text/xml", body: good, status: 415, code: "unsupported_media_type", advice: "application/json"},
		{name: "compressed", header: http.Header{"Content-Encoding": {"gzip"}}, body: good, status: 415, code: "unsupported_media_type", advice: "Content-Encoding"},
		{name: "bad query", method: "GET", path: "/v1/pushes?limit=0", status: 422, code: "validation_failed", advice: "limit"},
		{name: "bad header", header: http.Header{"Ttl": {"soon"}}, body: good, status: 422, code: "validation_failed", advice: "TTL"},
		{name: "unknown push", method: "GET", path: "/v1/pushes/psh_nothing", status: 404, code: "unknown_push", advice: "deleted"},
	}
}

// TestBadRequests: each is refused with a problem that names the mistake, and changes nothing.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, 201)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-off","secret":"s3cret-1","enabled":false}`, 201)
	s.Submit(t, `{"to":"pc-1","type":"demo.zero"}`)
	tokens := strings.NewReplacer("$admin", "Bearer "+s.Token, "$reader", "Bearer "+makeToken(t, s, "reader", "read"))
	before := snapshot(t, s)
	for _, tc := range badRequests() {
		t.Run(tc.name, func(t *testing.T) {
			resp, text := tc.send(t, s, tokens)
			var problem struct {
				Type, Title, Code, Detail string
				Status                    int
			}
			if err := json.Unmarshal([]byte(text), &problem); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type = %q, want application/problem+json", got)
			}
			if resp.StatusCode != tc.status || problem.Status != tc.status || problem.Code != tc.code {
				t.Errorf("status %d, problem %s, want %d %s", resp.StatusCode, text, tc.status, tc.code)
			}
			if problem.Type != "/problems/"+strings.ReplaceAll(tc.code, "_", "-") || problem.Title == "" || problem.Detail == "" {
				t.Errorf("type, title or detail is missing or wrong: %s", text)
			}
			if !strings.Contains(text, tc.advice) {
				t.Errorf("%s\nsays nothing about %q", text, tc.advice)
			}
			if diff := cmp.Diff(before, snapshot(t, s)); diff != "" {
				t.Errorf("the server's state changed (-before +after):\n%s", diff)
			}
		})
	}
	s.Submit(t, `{"to":"pc-1","type":"demo.last"}`)
	if cmp.Equal(before, snapshot(t, s)) {
		t.Error("a good push changes nothing that this test looks at")
	}
}

func (b badRequest) send(t *testing.T, s *harness.Server, tokens *strings.Replacer) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), or(b.method, "POST"), s.URL()+or(b.path, "/v1/pushes"), strings.NewReader(b.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range b.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", or(b.contentType, "application/json"))
	if token := tokens.Replace(or(b.token, "$admin")); token != "-" {
		req.Header.Set("Authorization", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func or(value, standard string) string {
	if value == "" {
		return standard
	}
	return value
}

func makeToken(t *testing.T, s *harness.Server, name, scope string) string {
	t.Helper()
	_, text := s.Call(t, "POST", "/v1/tokens", `{"name":"`+name+`","scopes":["`+scope+`"]}`, 201)
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// snapshot is all that the lists of the API show.
func snapshot(t *testing.T, s *harness.Server) map[string]string {
	t.Helper()
	shown := map[string]string{}
	for _, path := range []string{"/v1/endpoints", "/v1/pushes", "/v1/tokens"} {
		_, shown[path] = s.Call(t, "GET", path, "", 200)
	}
	return shown
}
