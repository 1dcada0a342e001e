package enrolment

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/internal/identity"
	"signalbox/internal/link"
)

const material = "keying material of 32 bytes ....."

func newHandler(t *testing.T) (*world, *Service, *Handler) {
	t.Helper()
	w, s := newWorld()
	w.now, s.deps.Now = time.Now, time.Now
	return w, s, NewHandler(s, func() []string { return []string{"xmpp.example.com:443"} }, prometheus.NewRegistry())
}

// ask posts a body as an endpoint at an address does, inside TLS.
func ask(t *testing.T, h http.Handler, from, body string) *httptest.ResponseRecorder {
	t.Helper()
	return askAs(t, h, link.TLS{Version: tls.VersionTLS13, Exporter: []byte(material)}, from, body, "application/json")
}

func askAs(t *testing.T, h http.Handler, conn link.TLS, from, body, kind string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, identity.EnrolPath, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	info := link.Info{Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 4711), TLS: conn}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r.WithContext(link.NewContext(r.Context(), info)))
	return rec
}

// problemOf returns the code of a problem.
func problemOf(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var p struct {
		Type, Title, Code, Detail string
		Status                    int
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Status != rec.Code || p.Title == "" || p.Detail == "" || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s: %s is no problem", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
	return p.Code
}

func TestAnswerIsProven(t *testing.T) {
	_, s, h := newHandler(t)
	text, _, err := s.Create(t.Context(), Spec{Endpoint: "pc-1"}, 0, "x")
	if err != nil {
		t.Fatal(err)
	}
	key := identity.Generate().Public()
	rec := ask(t, h, "192.0.2.1", fmt.Sprintf(`{"token":%q,"public_key":%q}`, text, key))
	var e identity.Enrolled
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d: %s", rec.Code, rec.Body)
	}
	if e.ID != "pc-1" || e.Domain != "xmpp.example.com" || e.ServerKey != s.deps.Key.Public() || len(e.Addresses) != 1 || !e.Proven(key, []byte(material)) || !e.Proven(key, nil) {
		t.Errorf("answer %+v", e)
	}
	if strings.Contains(rec.Body.String(), text) || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("the answer holds the token, or may be kept: %v %s", rec.Header(), rec.Body)
	}
}

func TestRequestsAreReadStrictly(t *testing.T) {
	_, s, h := newHandler(t)
	token, _, err := s.Create(t.Context(), Spec{}, 0, "x")
	if err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf(`"token":%q,"public_key":%q`, token, identity.Generate().Public())
	for i, tt := range []struct{ body, kind, want string }{
		{"", "application/json", "malformed_request"},
		{"[]", "application/json", "malformed_request"},
		{"{}", "application/json", "malformed_request"},
		{"{" + good, "application/json", "malformed_request"},
		{"{" + good + "} x", "application/json", "malformed_request"},
		{"{" + good + "}{}", "application/json", "malformed_request"},
		{"{" + good + `,"id":1}`, "application/json", "malformed_request"},
		{"{" + good + `,"id":null}`, "application/json", "malformed_request"},
		{"{" + good + `,"ID":"pc-1"}`, "application/json", "malformed_request"},
		{"{" + good + `,"more":"x"}`, "application/json", "malformed_request"},
		{"{" + good + "," + good + "}", "application/json", "malformed_request"},
		{"{" + strings.Replace(good, "sbe_", "sbx_", 1) + "}", "application/json", "malformed_request"},
		{"{" + strings.Replace(good, "sbk1:", "sbk2:", 1) + "}", "application/json", "malformed_request"},
		{"{" + good + `,"id":"` + strings.Repeat("x", 257) + `"}`, "application/json", "malformed_request"},
		{"{" + good + `,"id":"` + strings.Repeat("x", maxBodyBytes) + `"}`, "application/json", "payload_too_large"},
		{"{" + good + "}", "text/plain", "unsupported_media_type"},
		{"{" + good + "}", "", "unsupported_media_type"},
	} {
		from := fmt.Sprintf("192.0.2.%d", i+1)
		rec := askAs(t, h, link.TLS{Version: tls.VersionTLS13}, from, tt.body, tt.kind)
		if got := problemOf(t, rec); got != tt.want || strings.Contains(rec.Body.String(), token) {
			t.Errorf("%q: %s, want %s", tt.body, rec.Body, tt.want)
		}
	}
	if got := problemOf(t, askAs(t, h, link.TLS{}, "192.0.2.99", "{"+good+"}", "application/json")); got != "not_inside_tls" {
		t.Errorf("outside TLS: %s", got)
	}
	if rec := ask(t, h, "192.0.2.99", "{"+good+"}"); rec.Code != http.StatusOK {
		t.Errorf("the request that all others were made of: %s", rec.Body)
	}
}

// Who is refused too often waits; others, and those who are not refused, do not.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, h := newHandler(t)
		token, _, err := s.Create(t.Context(), Spec{Uses: 1000}, 0, "x")
		if err != nil {
			t.Fatal(err)
		}
		enrol := func(from string) int {
			return ask(t, h, from, fmt.Sprintf(`{"token":%q,"public_key":%q}`, token, identity.Generate().Public())).Code
		}
		for range 3 * refusalsPerMinute {
			if code := enrol("2001:db8::1"); code != http.StatusOK {
				t.Fatalf("one of many enrolments from one address: %d", code)
			}
		}
		for i := range refusalsPerMinute {
			if rec := ask(t, h, fmt.Sprintf("2001:db8::%x", i+1), "{}"); problemOf(t, rec) != "malformed_request" {
				t.Fatalf("refusal %d: %s", i, rec.Body)
			}
		}
		rec := ask(t, h, "2001:db8::ffff", "{}")
		if problemOf(t, rec) != "too_many_refusals" || rec.Header().Get("Retry-After") != "60" {
			t.Errorf("refused once more: %s, %v", rec.Body, rec.Header())
		}
		if code := enrol("2001:db8:0:1::1"); code != http.StatusOK {
			t.Errorf("another network: %d", code)
		}
		time.Sleep(time.Minute)
		if code := enrol("2001:db8::1"); code != http.StatusOK {
			t.Errorf("after a minute: %d", code)
		}
	})
}

func TestFailuresOfTheStoreAreOurs(t *testing.T) {
	w, s, h := newHandler(t)
	token, _, err := s.Create(t.Context(), Spec{}, 0, "x")
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"token":%q,"public_key":%q}`, token, identity.Generate().Public())
	w.err = errors.New("disk is gone")
	for range 2 * refusalsPerMinute {
		if rec := ask(t, h, "192.0.2.1", body); problemOf(t, rec) != "internal_error" || strings.Contains(rec.Body.String(), "disk") {
			t.Fatalf("answer %s", rec.Body)
		}
	}
	for range maxAtOnce {
		h.working <- struct{}{}
	}
	if rec := ask(t, h, "192.0.2.1", body); problemOf(t, rec) != "busy" || rec.Header().Get("Retry-After") != "2" {
		t.Errorf("with too much to do: %s, %v", rec.Body, rec.Header())
	}
}

func TestSourcesAreForgotten(t *testing.T) {
	now := noon
	l := newLimiter(func() time.Time { return now })
	for i := range 2*maxSources + 1 {
		l.refused(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := len(l.sources); n > maxSources {
		t.Errorf("%d sources are remembered, want %d at most", n, maxSources)
	}
	busy := netip.MustParseAddr("192.0.2.1")
	for range refusalsPerMinute {
		l.refused(busy)
	}
	if got := l.wait(busy); got != time.Minute {
		t.Errorf("wait() = %v, want a minute", got)
	}
	if now = now.Add(time.Minute); l.wait(busy) != 0 {
		t.Errorf("wait() after a minute = %v", l.wait(busy))
	}
}

// Whatever is read is an object of texts with these names.
func FuzzFlat(f *testing.F) {
	for _, s := range []string{`{}`, `{"token":"x","id":"y","public_key":"z"}`, `{"token":{}}`, `{"token":"x"`, `[]`, "{\"token\":\"\\u0000\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := flat(json.NewDecoder(strings.NewReader(text)), "token", "id", "public_key")
		if err != nil {
			return
		}
		var all map[string]string
		if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != len(fields) {
			t.Errorf("flat(%q) = %v, json reads %v, %v", text, fields, all, err)
		}
	})
}
