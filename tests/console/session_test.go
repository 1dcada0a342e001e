package console

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"signalbox/tests/page"
)

// connect opens a session with pc-1 on a tab of its page.
func (b *tab) connect(f *fake, tab, transport string) *session {
	b.t.Helper()
	b.signIn(f)
	b.Go(f.url("#/endpoints/pc-1/" + tab))
	b.Click("summary", "Path")
	b.Choose("select[name=transport]", transport)
	b.Click("button", "Connect")
	b.Sees(".bar", "pc-1")
	return f.session(b.t)
}

// TestTerminal types and reads; colours that the policy would not let in as style attributes are there.
func TestTerminal(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.Sees(".xterm-rows", "$")
	b.Types("uname\r")
	b.Sees(".xterm-rows", "ran UNAME")
	b.Types("colours\r")
	b.Sees(".xterm-rows", "BOLD")
	if got := page.Value[string](b.Page, `getComputedStyle([...document.querySelectorAll(".xterm-rows span")].find((e) => e.textContent === "TRUE")).color`); got != "rgb(200, 10, 20)" {
		t.Errorf("a true colour is shown as %q", got)
	}
	if got := page.Value[string](b.Page, `getComputedStyle(document.querySelector(".xterm-rows")).whiteSpace`); got != "pre" {
		t.Errorf("rows have white space %q: the terminal has no styles", got)
	}
	b.Click(".terminals button", "+ New")
	b.Sees(".terminal-tab", "Terminal 2")
	b.Sees(".xterm-rows", "$")
	b.Types("exit\r")
	b.Sees(".terminal-note", "ended with status 3")
	b.Click(`.terminals [aria-label="Close Terminal 2"]`, "×")
	b.Sees(".xterm-rows", "ran UNAME")
	cols := s.remote.cols()
	b.Run(chromedp.EmulateViewport(700, 600))
	await(t, func() bool { n := s.remote.cols(); return n > 0 && n < 90 && n != cols }, "the terminal is not told of its new size")
	b.Click(".bar button", "End")
	b.Click("dialog button", "End the session")
	b.Sees(".ended", "You ended the session.")
}

// TestReload: a page that is loaded again goes on with its session, its terminals and what they had printed.
func TestReload(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.Sees(".xterm-rows", "$")
	b.Types("before\r")
	b.Sees(".xterm-rows", "ran BEFORE")
	b.Run(chromedp.Reload())
	b.Sees(".xterm-rows", "ran BEFORE")
	b.Types("after\r")
	b.Sees(".xterm-rows", "ran AFTER")
	if n := s.attaches(); n != 2 {
		t.Errorf("the technician attached %d times, want 2", n)
	}
}

// TestServerRestart: the signalling connection is lost and comes back, while the terminal goes on.
func TestServerRestart(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.Sees(".xterm-rows", "$")
	s.drop(1001)
	b.Types("meanwhile\r")
	b.Sees(".xterm-rows", "ran MEANWHILE")
	await(t, func() bool { return s.attaches() == 2 }, "the technician did not come back")
	b.Sees(".bar", "Live")
}

// TestReplaced: another page that takes up the session leaves this one ended, and does not fight with it.
func TestReplaced(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.Sees(".xterm-rows", "$")
	s.drop(4409)
	b.Sees(".ended", "Another page has taken up this session.")
	if n := s.attaches(); n != 1 {
		t.Errorf("the page attached %d times, want once", n)
	}
}

// TestDirect: a PeerConnection comes up, carries the terminal, and the page says so.
func TestDirect(t *testing.T) {
	f := newFake(t)
	browser := browse(t)
	endpoint := newTab(t, browser, page.Desktop)
	endpoint.Go(f.site.URL + "/fake/page/answerer.html")
	endpoint.Holds(`document.title === "ready"`)
	b := newTab(t, browser, page.Desktop)
	s := b.connect(f, "terminal", "auto")
	b.Sees(".bar .badge", "Direct")
	b.Sees(".xterm-rows", "$")
	b.Types("uname\r")
	b.Sees(".xterm-rows", "ran UNAME")
	if s.relayed() != 0 {
		t.Errorf("%d channels went over the relay", s.relayed())
	}
	b.matches(roundTrip, `^[1-9][0-9]* ms$`)
	b.Holds(`!document.querySelector(".bar-note")`)
	b.Picture("direct")
	b.Click("[role=tab]", "Files")
	b.Sees(".panel-files .note", "Files go through this server's relay, which could read them.")
	b.Sees(".folder", "notes.txt")
	if s.relayed() != 1 {
		t.Errorf("%d channels went over the relay, want that of files alone", s.relayed())
	}
	await(t, func() bool { return s.path()["rung"] == "direct" }, "the page did not report its path")
}

// TestFallback: nobody answers, so that everything goes over the relay, and the page says why.
func TestFallback(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "terminal", "auto")
	b.Sees(".bar", "Connecting")
	b.Sees(".bar .badge", "Relay (443)")
	b.Sees(".xterm-rows", "$")
	b.Click(".bar button", "Path")
	b.Sees(".rungs", "The endpoint sent no address to try.")
	b.Sees(".why .verdict", "The endpoint is online.")
	await(t, func() bool { return s.path()["rung"] == "relay" }, "the page did not report its path")
	b.Picture("fallback")
}

// TestConsent shows the question with its time, and each of its ends.
func TestConsent(t *testing.T) {
	browser := browse(t)
	for reason, text := range map[string]string{
		"consent_denied": "The user did not allow the session.", "consent_timeout": "Nobody was there to answer", "endpoint_lost": "The endpoint was lost",
	} {
		t.Run(reason, func(t *testing.T) {
			f := newFake(t)
			f.plan = asked
			b := newTab(t, browser, page.Desktop)
			s := b.connect(f, "terminal", "websocket_only")
			b.Sees(".bar", "Waiting for the user")
			b.Sees(".bar .count", "0:2")
			s.end(reason)
			b.Sees(".ended", text)
		})
	}
}

// TestEndedBefore: a session that ends before the page is attached tells its reason all the same.
func TestEndedBefore(t *testing.T) {
	f := newFake(t)
	f.early = "consent_timeout"
	b := newTab(t, browse(t), page.Desktop)
	b.connect(f, "terminal", "auto")
	b.Sees(".ended", "Nobody was there to answer")
}

// TestSessionLink: who has the link of a session alone is in it, and the secret is not left in the address.
func TestSessionLink(t *testing.T) {
	f := newFake(t)
	browser := browse(t)
	s := f.open("pc-1", "websocket_only")
	link := f.url("#/session/" + s.id + "/" + s.token)
	b := newTab(t, browser, page.Desktop)
	b.Go(link)
	b.Sees(".xterm-rows", "$")
	if got := page.Value[string](b.Page, "location.href"); got != f.url("#/session/"+s.id) {
		t.Errorf("the address is %s", got)
	}
	b.Run(page.Keys("3", page.AltShift))
	b.Sees(".folder", "notes.txt")
	b.Run(page.Keys("4", page.AltShift))
	b.Sees(".processes", "postgres")
	b.Run(chromedp.Reload())
	b.Sees(".processes", "postgres")
	thief := newTab(t, browser, page.Desktop)
	thief.Go(link)
	thief.Sees(".ended", "does not know this link")
	b.Sees(".bar", "Live")
}

// TestProcesses sorts, filters and ends one.
func TestProcesses(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	b.connect(f, "processes", "websocket_only")
	b.Sees(".processes tbody tr:first-child", "runaway")
	b.Click(".processes th button", "Memory")
	b.Sees(".processes tbody tr:first-child", "init")
	b.Fill(".panel-processes input", "runa")
	b.Sees(".count", "1 of 4")
	b.Run(chromedp.Focus(".processes tbody tr"), page.Keys(kb.Delete, 0))
	b.Click("dialog button", "Ask it to end")
	b.Sees(".notice", "runaway (103) was told to end")
	b.Sees(".count", "0 of 3")
}

// TestPeerLost: the endpoint's side of a direct connection goes away without a word; the page comes back to it, and to its terminal.
func TestPeerLost(t *testing.T) {
	f := newFake(t)
	browser := browse(t)
	endpoint := newTab(t, browser, page.Desktop)
	endpoint.Go(f.site.URL + "/fake/page/answerer.html")
	endpoint.Holds(`document.title === "ready"`)
	b := newTab(t, browser, page.Desktop)
	s := b.connect(f, "terminal", "auto")
	b.Sees(".bar .badge", "Direct")
	b.Sees(".xterm-rows", "$")
	b.Types("before\r")
	b.Sees(".xterm-rows", "ran BEFORE")
	endpoint.Run(chromedp.Reload())
	endpoint.Holds(`document.title === "ready"`)
	await(t, func() bool { return s.peer() > 1 }, "the page did not offer a new connection")
	b.Sees(".bar .badge", "Direct")
	b.Sees(".xterm-rows", "ran BEFORE")
	await(t, func() bool { s.remote.mu.Lock(); defer s.remote.mu.Unlock(); return s.remote.attached > 1 }, "the terminal was not taken up again")
	b.Types("after\r")
	b.Sees(".xterm-rows", "ran AFTER")
}
