package console

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// signIn signs in by name and password, as people do.
func (b *tab) signIn(f *fake) {
	b.t.Helper()
	b.run(chromedp.Navigate(f.url("")))
	b.sees("h1", "Sign in")
	b.fill("input[name=name]", "ada")
	b.fill("input[name=password]", "secret")
	b.press("button", "Sign in")
	b.sees(".list-name", "pc-1")
}

// TestPages shows every page in each look.
func TestPages(t *testing.T) {
	browser := browse(t)
	for _, l := range []look{{1280, 800, false}, {1280, 800, true}, {360, 740, false}, {360, 740, true}} {
		t.Run(l.String(), func(t *testing.T) {
			f := newFake(t)
			b := newTab(t, browser, l)
			b.run(chromedp.Navigate(f.url("")))
			b.sees("h1", "Sign in")
			b.fits("signin")
			b.signIn(f)
			b.fits("endpoints")
			b.run(chromedp.Navigate(f.url("#/account")))
			b.sees("h1", "Ada L.")
			b.fits("account")
			b.run(chromedp.Navigate(f.url("#/endpoints/pc-2/general")))
			b.sees(".verdict", "does not trust")
			b.fits("general-offline")
			b.run(chromedp.Navigate(f.url("#/endpoints/pc-2/terminal")))
			b.sees(".fault", "not online")
			b.fits("connect-offline")
			b.run(chromedp.Navigate(f.url("#/endpoints/pc-1/events")))
			b.sees(".timeline", "It came online.")
			b.sees(".timeline .warning", "12 times")
			b.fits("events")
			workPages(f, b)
			b.eval("document.body.focus()")
			b.keys("?")
			b.sees("dialog[open]", "Dark or light")
			b.fits("shortcuts")
		})
	}
}

// workPages goes through what a session shows.
func workPages(f *fake, b *tab) {
	b.t.Helper()
	f.plan = asked
	b.run(chromedp.Navigate(f.url("#/endpoints/pc-1/terminal")))
	b.press("summary", "Path")
	b.run(chromedp.SetValue("select[name=transport]", "websocket_only"))
	b.fits("connect")
	b.press("button", "Connect")
	b.sees(".bar", "Waiting for the user")
	b.sees(".bar .count", "to answer")
	b.sees(".progress .now", "The user is asked: 0:")
	b.fits("waiting")
	s := f.session(b.t)
	accepted(s)
	b.sees(".bar", "Live")
	b.sees(".bar-note", "could read it")
	b.sees(".xterm-rows", "$")
	b.fits("terminal")
	b.press(".bar button", "Path")
	b.sees(".rungs", "relay only")
	b.fits("why")
	b.press(".bar button", "Path")
	b.press("[role=tab]", "Files")
	b.sees(".folder", "notes.txt")
	b.fits("files")
	b.press("[role=tab]", "Processes")
	b.sees(".processes", "postgres")
	b.fits("processes")
	b.press(".processes button[aria-label^=End]", "End")
	b.sees("dialog", "Kill at once")
	b.fits("kill")
	b.press("dialog button", "Cancel")
	b.press("[role=tab]", "General")
	b.sees(".facts", "Fake CPU")
	b.fits("general")
	b.run(chromedp.Navigate(f.url("#/sessions")))
	b.sees(".list-name", "pc-1")
	b.fits("sessions")
	s.end("user_ended")
	b.run(chromedp.Navigate(f.url("#/endpoints/pc-1/terminal")))
	b.sees(".ended", "The user at the endpoint ended the session.")
	b.fits("ended")
}

// TestList searches, filters, moves by keys, and shows presence as it changes.
func TestList(t *testing.T) {
	browser := browse(t)
	f := newFake(t)
	b := newTab(t, browser, desktop)
	b.signIn(f)
	b.sees(".count", "6 endpoints")
	b.fill("input[type=search]", "pc-3")
	b.sees(".count", "1 endpoint")
	b.fill("input[type=search]", "state:online")
	b.sees(".count", "1 endpoint")
	b.holds(`document.querySelector(".filters button").getAttribute("aria-pressed") === "true"`)
	b.press(".filters button", "Offline")
	b.sees(".count", "5 endpoints")
	b.holds(`document.querySelector("input[type=search]").value === "state:online,offline"`)
	b.eval(`document.activeElement.blur()`)
	b.keys("/")
	b.holds(`document.activeElement.type === "search"`)
	b.keys(kb.ArrowDown + kb.ArrowDown)
	b.holds(`document.activeElement.textContent.includes("pc-2")`)
	b.sees(".list li:nth-child(2)", "Offline")
	if err := f.tell(t.Context(), "pc-2", presence(1)); err != nil {
		t.Fatal(err)
	}
	b.sees(".list li:nth-child(2)", "Online")
}

// TestThreeClicks: from the list, a newcomer is in a terminal within three clicks.
func TestThreeClicks(t *testing.T) {
	browser := browse(t)
	f := newFake(t)
	b := newTab(t, browser, desktop)
	b.signIn(f)
	b.press(".list-row", "pc-1")
	b.press("[role=tab]", "Terminal")
	b.press("button", "Connect")
	b.sees(".xterm-rows", "$")
}

// TestSignInLink signs in by a link, which is not left in the address or the history, and is good once.
func TestSignInLink(t *testing.T) {
	browser := browse(t)
	f := newFake(t)
	b := newTab(t, browser, desktop)
	b.run(chromedp.Navigate(f.url("#/signin/link-1")))
	b.sees(".list-name", "pc-1")
	if got := value[string](b, "location.href"); got != f.url("#/endpoints") {
		t.Errorf("the address is %s", got)
	}
	again := newTab(t, browser, desktop)
	again.run(chromedp.Navigate(f.url("#/signin/link-1")))
	again.sees(".fault", "used already")
}
