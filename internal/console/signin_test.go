package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/internal/access/technician"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	if _, err := w.technicians.Create(t.Context(), technician.New{Name: "ada", Password: password, Roles: []string{"operator"}}, "token:x"); err != nil {
		t.Fatal(err)
	}
	b := &browser{w: w}
	b.get("me").want(notSignedIn)
	b.post("signin", `{"name":"ada","password":"wrong password"}`).want(badCredentials)
	b.post("signin", `{"name":"eve","password":"`+password+`"}`).want(badCredentials)
	in := b.post("signin", `{"name":"ada","password":"`+password+`"}`).ok(http.StatusOK)
	set := in.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-signalbox=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"} {
		if !strings.Contains(set, part) {
			t.Errorf("cookie %q lacks %q", set, part)
		}
	}
	if strings.Contains(set, "Domain=") {
		t.Errorf("cookie %q is for other hosts, too", set)
	}
	var me meBody
	b.get("me").ok(http.StatusOK).into(&me)
	if me.Technician.Name != "ada" || !me.MayOpen || me.Manages || !me.HasPassword || me.Server.Domain != domain || me.Idle != 1800 || time.Until(me.Expires) < 11*time.Hour {
		t.Errorf("me = %+v", me)
	}
	held := b.cookie
	b.post("signout", `{}`).ok(http.StatusNoContent)
	if b.cookie != "" {
		t.Errorf("the cookie stays: %q", b.cookie)
	}
	b.cookie = held
	b.get("me").want(notSignedIn)
}

// TestLinksLetInOnce: stolen after its use, late, made up.
func TestLinksLetInOnce(t *testing.T) {
	w := newWorld(t)
	w.technician("ada", "viewer")
	token := w.link("ada")
	b, thief := &browser{w: w}, &browser{w: w}
	b.post("signin/link", `{"token":"`+token+`"}`).ok(http.StatusOK)
	thief.post("signin/link", `{"token":"`+token+`"}`).want(linkInvalid)
	thief.post("signin/link", `{"token":"`+strings.Repeat("A", 43)+`"}`).want(linkInvalid)
	thief.get("me").want(notSignedIn)
	b.get("me").ok(http.StatusOK)
	late := w.link("ada")
	w.stand(technician.LinkLife)
	thief.post("signin/link", `{"token":"`+late+`"}`).want(linkInvalid)
	if got := w.trail.count("stranger:127.0.0.1", technician.ActionLoginRefused, ""); got != 3 {
		t.Errorf("the audit knows of %d refusals, want 3: %v", got, w.trail.all)
	}
}

// TestFixation: a cookie that somebody put into a browser is worth nothing after a sign-in, and nobody is signed in as another unawares.
func TestFixation(t *testing.T) {
	w := newWorld(t)
	eve := w.signedIn("eve", "viewer")
	w.technician("ada", "viewer")
	victim := &browser{w: w, cookie: eve.cookie}
	said := victim.post("signin/link", `{"token":"`+w.link("ada")+`"}`).want(otherSignedIn)
	if !strings.Contains(string(said.body), "EVE") {
		t.Errorf("it is not said who is signed in: %s", said.body)
	}
	victim.post("signin/link", `{"token":"`+w.link("ada")+`","replace":true}`).ok(http.StatusOK)
	if victim.cookie == eve.cookie {
		t.Error("the cookie stays the same")
	}
	eve.get("me").want(notSignedIn)
	planted := &browser{w: w, cookie: strings.Repeat("A", 43)}
	planted.post("signin/link", `{"token":"`+w.link("ada")+`"}`).ok(http.StatusOK)
	if planted.cookie == strings.Repeat("A", 43) {
		t.Error("a planted cookie is taken")
	}
}

// TestForgedRequests: requests that a page of another origin can have a browser send change nothing.
func TestForgedRequests(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("ada", "operator")
	w.endpoint("pc-1")
	for _, tc := range []struct {
		name    string
		headers []string
		want    kind
	}{
		{"without the header", []string{guardHeader, ""}, forbiddenOrigin},
		{"from another origin", []string{"Origin", "https://evil.example"}, forbiddenOrigin},
		{"from our name without TLS", []string{"Origin", strings.Replace(w.srv.URL, "https", "http", 1)}, forbiddenOrigin},
		{"from another port", []string{"Origin", w.srv.URL + "0"}, forbiddenOrigin},
		{"from a sandbox", []string{"Origin", "null"}, forbiddenOrigin},
		{"from another site", []string{"Sec-Fetch-Site", "cross-site"}, forbiddenOrigin},
		{"from a sister site", []string{"Sec-Fetch-Site", "same-site"}, forbiddenOrigin},
		{"as a form", []string{"Content-Type", "application/x-www-form-urlencoded"}, unsupported},
		{"as text", []string{"Content-Type", "text/plain"}, unsupported},
	} {
		t.Log(tc.name)
		for path, body := range map[string]string{"signout": `{}`, "sessions": `{"endpoint":"pc-1"}`, "signin/link": `{"token":"` + w.link("ada") + `","replace":true}`} {
			b.post(path, body, tc.headers...).want(tc.want)
		}
	}
	b.get("endpoints", "Sec-Fetch-Site", "cross-site").want(forbiddenOrigin)
	b.get("me").ok(http.StatusOK)
	if len(w.broker.asked()) > 0 {
		t.Error("a session was opened")
	}
	b.post("signout", `{}`, "Origin", "https://console.example:8443").ok(http.StatusNoContent) // as configured, behind a proxy
}

// TestRevocation: a technician who is disabled is out with the next request, and with what is open.
func TestRevocation(t *testing.T) {
	w := newWorld(t)
	b := w.signedIn("ada", "operator")
	ws := b.open(livePath, liveProtocol)
	if _, err := w.technicians.Change(t.Context(), "ada", technician.Patch{Enabled: new(bool)}, "token:x"); err != nil {
		t.Fatal(err)
	}
	closes(t, ws, endSignedOut)
	b.get("me").want(notSignedIn)
	b.get("endpoints").want(notSignedIn)
	closes(t, b.open(livePath, liveProtocol), endSignedOut)
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	linked := w.signedIn("ada")
	linked.post("password", `{"old":"","new":"another password"}`).want(notAllowed)
	text := password
	if _, err := w.technicians.Change(t.Context(), "ada", technician.Patch{Password: &text}, "token:x"); err != nil {
		t.Fatal(err)
	}
	linked.get("me").want(notSignedIn)
	b := w.byLink("ada")
	b.post("password", `{"old":"wrong password","new":"another password"}`).want(badCredentials)
	b.post("password", `{"old":"`+password+`","new":"short"}`).want(invalid)
	b.post("password", `{"old":"`+password+`","new":"another password"}`).ok(http.StatusNoContent)
	b.get("me").ok(http.StatusOK)
}

// TestTooManyAttempts says how long to wait.
func TestTooManyAttempts(t *testing.T) {
	w := newWorld(t)
	b := &browser{w: w}
	w.stand(0)
	for range 5 {
		b.post("signin/link", `{"token":"x"}`).want(linkInvalid)
	}
	if after := b.post("signin/link", `{"token":"x"}`).want(tooMany).header.Get("Retry-After"); after != "1" {
		t.Errorf("Retry-After = %q", after)
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t)
	b := &browser{w: w}
	for body, want := range map[string]kind{
		`{"name":"ada","password":"x","extra":1}`: invalid, `{`: invalid, `[]`: invalid, ``: invalid, `{} {}`: invalid, `{"name":1}`: invalid,
		`{"name":"` + strings.Repeat("x", maxBodyBytes) + `"}`: tooLarge,
	} {
		b.post("signin", body).want(want)
	}
	b.get("nothing").want(notFound)
	b.do("DELETE", "me", `{}`).want(notFound)
}
