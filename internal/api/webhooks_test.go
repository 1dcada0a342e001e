package api

import (
	"net/http"
	"strings"
	"testing"
)

func TestWebhookMistakes(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/webhooks", `{"url":"https://203.0.113.1/hook"}`).ok(http.StatusCreated)
	place := made.header.Get("Location")
	for _, tc := range []struct{ name, method, path, body, pointer string }{
		{"no url", "POST", "/v1/webhooks", `{}`, "/url"},
		{"plain http", "POST", "/v1/webhooks", `{"url":"http://203.0.113.1/"}`, "/url"},
		{"another scheme", "POST", "/v1/webhooks", `{"url":"ftp://203.0.113.1/"}`, "/url"},
		{"a user", "POST", "/v1/webhooks", `{"url":"https://a:b@203.0.113.1/"}`, "/url"},
		{"no host", "POST", "/v1/webhooks", `{"url":"https:///x"}`, "/url"},
		{"loopback", "POST", "/v1/webhooks", `{"url":"https://127.0.0.1/"}`, "/url"},
		{"loopback as IPv6", "POST", "/v1/webhooks", `{"url":"https://[::ffff:127.0.0.1]/"}`, "/url"},
		{"metadata", "POST", "/v1/webhooks", `{"url":"http://169.254.169.254/latest","insecure_http":true}`, "/url"},
		{"an unknown type", "POST", "/v1/webhooks", `{"url":"https://203.0.113.1/","types":["push.done"]}`, "/types"},
		{"a quiet type", "POST", "/v1/webhooks", `{"url":"https://203.0.113.1/","types":["endpoint.resumed"]}`, "/types"},
		{"an unknown signature", "POST", "/v1/webhooks", `{"url":"https://203.0.113.1/","signature":"rsa"}`, "/signature"},
		{"a long description", "POST", "/v1/webhooks", `{"url":"https://203.0.113.1/","description":"` + strings.Repeat("x", 257) + `"}`, "/description"},
		{"change to http", "PATCH", place, `{"url":"http://203.0.113.1/"}`, "/url"},
		{"an unknown secret", "PATCH", place, `{"new_secret":"rsa"}`, "/new_secret"},
		{"secrets for ever", "PATCH", place, `{"new_secret":"hmac","old_secrets_for":99999999}`, "/old_secrets_for"},
		{"nothing to replay", "POST", place + "/replay", `{}`, ""},
		{"too much to replay", "POST", place + "/replay", `{"seq":0,"failed":true}`, ""},
		{"no time", "POST", place + "/replay", `{"from":"yesterday"}`, "/from"},
		{"a negative number", "POST", place + "/replay", `{"seq":-1}`, "/seq"},
		{"a number to come", "POST", place + "/replay", `{"seq":5}`, "/seq"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			w.do(tc.method, tc.path, tc.body).want(validationFailed, tc.pointer)
		})
	}
	w.t = t
	w.do("GET", place+"/deliveries?cursor=x", "").want(validationFailed, "cursor")
}

func TestWebhookShowsNoSecretAgain(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/webhooks", `{"url":"https://203.0.113.1/hook"}`).ok(http.StatusCreated)
	secret, _ := made.json()["secret"].(string)
	if !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("secret = %q", secret)
	}
	place := made.header.Get("Location")
	for _, path := range []string{"/v1/webhooks", place} {
		if body := string(w.do("GET", path, "").ok(http.StatusOK).body); strings.Contains(body, "whsec_") || strings.Contains(body, "whsk_") {
			t.Errorf("GET %s shows a secret: %s", path, body)
		}
	}
	private := string(w.do("PATCH", place, `{"new_secret":"ed25519"}`).ok(http.StatusOK).body)
	if strings.Contains(private, "whsk_") || !strings.Contains(private, "whpk_") {
		t.Errorf("a private key is shown, or no public one: %s", private)
	}
	for _, e := range w.logs.All() {
		if strings.Contains(e.Message, secret) {
			t.Errorf("log line %q has a secret", e.Message)
		}
	}
}
