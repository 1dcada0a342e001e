package console

import (
	"testing"

	"github.com/chromedp/chromedp/kb"

	"signalbox/tests/page"
)

// signIn signs in by name and password, as people do.
func (b *tab) signIn(f *fake) {
	b.t.Helper()
	b.Go(f.url(""))
	b.Sees("h1", "Sign in")
	b.Fill("input[name=name]", "ada")
	b.Fill("input[name=password]", "secret")
	b.Click("button", "Sign in")
	b.Sees(".list-name", "pc-1")
}

// TestPages shows every page in each look.
func TestPages(t *testing.T) {
	browser := browse(t)
	for _, l := range []page.Look{page.Desktop, {Width: 1280, Height: 800, Dark: true}, {Width: 360, Height: 740}, {Width: 360, Height: 740, Dark: true}} {
		t.Run(l.String(), func(t *testing.T) {
			f := newFake(t)
			b := newTab(t, browser, l)
			b.Go(f.url(""))
			b.Sees("h1", "Sign in")
			b.fits("signin")
			b.signIn(f)
			b.fits("endpoints")
			b.Go(f.url("#/account"))
			b.Sees("h1", "Ada L.")
			b.fits("account")
			b.Go(f.url("#/endpoints/pc-2/general"))
			b.Sees(".verdict", "does not trust")
			b.fits("general-offline")
			b.Go(f.url("#/endpoints/pc-2/terminal"))
			b.Sees(".fault", "not online")
			b.fits("connect-offline")
			b.Go(f.url("#/endpoints/pc-1/events"))
			b.Sees(".timeline", "It came online.")
			b.Sees(".timeline .warning", "12 times")
			b.fits("events")
			workPages(f, b)
			b.Eval("document.body.focus()")
			b.Keys("?")
			b.Sees("dialog[open]", "Dark or light")
			b.fits("shortcuts")
		})
	}
}

// workPages goes through what a session shows.
func workPages(f *fake, b *tab) {
	b.t.Helper()
	f.plan = asked
	b.Go(f.url("#/endpoints/pc-1/terminal"))
	b.Click("summary", "Path")
	b.Choose("select[name=transport]", "websocket_only")
	b.fits("connect")
	b.Click("button", "Connect")
	b.Sees(".bar", "Waiting for the user")
	b.Sees(".bar .count", "to answer")
	b.Sees(".progress .now", "The user is asked: 0:")
	b.fits("waiting")
	s := f.session(b.t)
	accepted(s)
	b.Sees(".bar", "Live")
	b.Sees(".bar-note", "could read it")
	b.Sees(".xterm-rows", "$")
	b.fits("terminal")
	b.Click(".bar button", "Path")
	b.Sees(".rungs", "relay only")
	b.fits("why")
	b.Click(".bar button", "Path")
	b.Click("[role=tab]", "Files")
	b.Sees(".folder", "notes.txt")
	b.fits("files")
	b.Click("[role=tab]", "Processes")
	b.Sees(".processes", "postgres")
	b.fits("processes")
	b.Click(".processes button[aria-label^=End]", "End")
	b.Sees("dialog", "Kill at once")
	b.fits("kill")
	b.Click("dialog button", "Cancel")
	b.Click("[role=tab]", "General")
	b.Sees(".facts", "Fake CPU")
	b.fits("general")
	b.Go(f.url("#/sessions"))
	b.Sees(".list-name", "pc-1")
	b.fits("sessions")
	s.end("user_ended")
	b.Go(f.url("#/endpoints/pc-1/terminal"))
	b.Sees(".ended", "The user at the endpoint ended the session.")
	b.fits("ended")
}

// TestList searches, filters, moves by keys, and shows presence as it changes.
func TestList(t *testing.T) {
	browser := browse(t)
	f := newFake(t)
	b := newTab(t, browser, page.Desktop)
	b.signIn(f)
	b.Sees(".count", "6 endpoints")
	b.Fill("input[type=search]", "pc-3")
	b.Sees(".count", "1 endpoint")
	b.Fill("input[type=search]", "state:online")
	b.Sees(".count", "1 endpoint")
	b.Holds(`document.querySelector(".filters button").getAttribute("aria-pressed") === "true"`)
	b.Click(".filters button", "Offline")
	b.Sees(".count", "5 endpoints")
	b.Holds(`document.querySelector("input[type=search]").value === "state:online,offline"`)
	b.Eval(`document.activeElement.blur()`)
	b.Keys("/")
	b.Holds(`document.activeElement.type === "search"`)
	b.Keys(kb.ArrowDown + kb.ArrowDown)
	b.Holds(`document.activeElement.textContent.includes("pc-2")`)
	b.Sees(".list li:nth-child(2)", "Offline")
	if err := f.tell(t.Context(), "pc-2", presence(1)); err != nil {
		t.Fatal(err)
	}
	b.Sees(".list li:nth-child(2)", "Online")
}

// TestThreeClicks: from the list, a newcomer is in a terminal within three clicks.
func TestThreeClicks(t *testing.T) {
	browser := browse(t)
	f := newFake(t)
	b := newTab(t, browser, page.Desktop)
	b.signIn(f)
	b.Click(".list-row", "pc-1")
	b.Click("[role=tab]", "Terminal")
	b.Click("button", "Connect")
	b.Sees(".xterm-rows", "$")
}

// TestSignInLink signs in by a link, which is not left in the address or the history, and is good once.
func TestSignInLink(t *testing.T) {
	browser := browse(t)
	f := newFake(t)
	b := newTab(t, browser, page.Desktop)
	b.Go(f.url("#/signin/link-1"))
	b.Sees(".list-name", "pc-1")
	if got := page.Value[string](b.Page, "location.href"); got != f.url("#/endpoints") {
		t.Errorf("the address is %s", got)
	}
	again := newTab(t, browser, page.Desktop)
	again.Go(f.url("#/signin/link-1"))
	again.Sees(".fault", "used already")
}
