package browser

import (
	"encoding/json"
	"testing"
)

// TestSessionLink: who has the link of one session is in it without an account, once; the link is then of no use to anybody else.
func TestSessionLink(t *testing.T) {
	s := newStage(t, nil)
	_, answer := s.server.Call(t, "POST", "/v1/sessions", `{"endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"kinds":["terminal"],"why":"ticket 4711"}`, 201)
	var opened struct {
		URL string `json:"console_url"`
	}
	if err := json.Unmarshal([]byte(answer), &opened); err != nil {
		t.Fatal(err)
	}
	p := browse(t)
	p.Go(opened.URL)
	p.computes()
	p.Picture("session-link")
	thief := browse(t)
	thief.Go(opened.URL)
	thief.Sees(".ended", "does not know this link")
	thief.Picture("session-link-used")
	p.enters("echo still:$((6*7))")
	p.prints("still:42")
}

// TestSignInLink: a link signs in once; by name and password it goes on.
func TestSignInLink(t *testing.T) {
	s := newStage(t, nil)
	_, answer := s.server.Call(t, "POST", "/v1/technicians/ada/link", "", 201)
	var link struct{ URL string }
	if err := json.Unmarshal([]byte(answer), &link); err != nil {
		t.Fatal(err)
	}
	first, second := browse(t), browse(t)
	first.Go(link.URL)
	first.Sees(".list-name", "pc-1")
	second.Go(link.URL)
	second.Sees(".fault", "link")
	second.Picture("link-used")
	second.Fill("input[name=name]", "ada")
	second.Fill("input[name=password]", password)
	second.Click("button", "Sign in")
	second.Sees(".list-name", "pc-1")
}

// TestPages shows each page that is not seen elsewhere, of an endpoint that something has happened to.
func TestPages(t *testing.T) {
	s := newStage(t, nil)
	p := browse(t)
	p.Go(s.url(""))
	p.Sees("h1", "Sign in")
	p.Picture("sign-in")
	s.connect(p, "terminal", "auto")
	p.computes()
	p.Click(".bar button", "Path")
	p.Sees(".rungs", "Direct")
	p.Picture("path")
	for _, page := range []struct{ fragment, selector, text string }{
		{"#/endpoints", ".list-name", "pc-1"}, {"#/endpoints/pc-1/general", ".endpoint", "Kernel"}, {"#/endpoints/pc-1/events", ".panel-events", "online"},
		{"#/sessions", "main", "pc-1"}, {"#/account", "main", "Change the password"},
	} {
		p.Go(s.url(page.fragment))
		p.Sees(page.selector, page.text)
		p.Picture(name(page.fragment))
	}
}
