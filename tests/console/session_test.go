package console

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// connect opens a session with pc-1 on a tab of its page.
func (b *tab) connect(f *fake, tab, transport string) *session {
	b.t.Helper()
	b.signIn(f)
	b.run(chromedp.Navigate(f.url("#/endpoints/pc-1/" + tab)))
	b.press("summary", "Path")
	b.run(chromedp.SetValue("select[name=transport]", transport))
	b.press("button", "Connect")
	b.sees(".bar", "pc-1")
	return f.session(b.t)
}

// types types into the terminal that is shown.
func (b *tab) types(text string) {
	b.t.Helper()
	b.run(chromedp.Focus(".panel-terminal textarea"), keys(text, 0))
}

// TestTerminal types and reads; colours that the policy would not let in as style attributes are there.
func TestTerminal(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.sees(".xterm-rows", "$")
	b.types("uname\r")
	b.sees(".xterm-rows", "ran UNAME")
	b.types("colours\r")
	b.sees(".xterm-rows", "BOLD")
	if got := value[string](b, `getComputedStyle([...document.querySelectorAll(".xterm-rows span")].find((e) => e.textContent === "TRUE")).color`); got != "rgb(200, 10, 20)" {
		t.Errorf("a true colour is shown as %q", got)
	}
	if got := value[string](b, `getComputedStyle(document.querySelector(".xterm-rows")).whiteSpace`); got != "pre" {
		t.Errorf("rows have white space %q: the terminal has no styles", got)
	}
	b.press(".terminals button", "+ New")
	b.sees(".terminal-tab", "Terminal 2")
	b.sees(".xterm-rows", "$")
	b.types("exit\r")
	b.sees(".terminal-note", "ended with status 3")
	b.press(`.terminals [aria-label="Close Terminal 2"]`, "×")
	b.sees(".xterm-rows", "ran UNAME")
	cols := s.remote.cols()
	b.run(chromedp.EmulateViewport(700, 600))
	await(t, func() bool { n := s.remote.cols(); return n > 0 && n < 90 && n != cols }, "the terminal is not told of its new size")
	b.press(".bar button", "End")
	b.press("dialog button", "End the session")
	b.sees(".ended", "You ended the session.")
}

// TestReload: a page that is loaded again goes on with its session, its terminals and what they had printed.
func TestReload(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.sees(".xterm-rows", "$")
	b.types("before\r")
	b.sees(".xterm-rows", "ran BEFORE")
	b.run(chromedp.Reload())
	b.sees(".xterm-rows", "ran BEFORE")
	b.types("after\r")
	b.sees(".xterm-rows", "ran AFTER")
	if n := s.attaches(); n != 2 {
		t.Errorf("the technician attached %d times, want 2", n)
	}
}

// TestServerRestart: the signalling connection is lost and comes back, while the terminal goes on.
func TestServerRestart(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.sees(".xterm-rows", "$")
	s.drop(1001)
	b.types("meanwhile\r")
	b.sees(".xterm-rows", "ran MEANWHILE")
	await(t, func() bool { return s.attaches() == 2 }, "the technician did not come back")
	b.sees(".bar", "Live")
}

// TestReplaced: another page that takes up the session leaves this one ended, and does not fight with it.
func TestReplaced(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.sees(".xterm-rows", "$")
	s.drop(4409)
	b.sees(".ended", "Another page has taken up this session.")
	if n := s.attaches(); n != 1 {
		t.Errorf("the page attached %d times, want once", n)
	}
}

// TestDirect: a PeerConnection comes up, carries the terminal, and the page says so.
func TestDirect(t *testing.T) {
	f := newFake(t)
	browser := browse(t)
	endpoint := newTab(t, browser, desktop)
	endpoint.run(chromedp.Navigate(f.site.URL + "/fake/page/answerer.html"))
	endpoint.holds(`document.title === "ready"`)
	b := newTab(t, browser, desktop)
	s := b.connect(f, "terminal", "auto")
	b.sees(".bar .badge", "Direct")
	b.sees(".xterm-rows", "$")
	b.types("uname\r")
	b.sees(".xterm-rows", "ran UNAME")
	if s.relayed() != 0 {
		t.Errorf("%d channels went over the relay", s.relayed())
	}
	b.picture("direct")
	b.press("[role=tab]", "Files")
	b.sees(".folder", "notes.txt")
	if s.relayed() != 1 {
		t.Errorf("%d channels went over the relay, want that of files alone", s.relayed())
	}
	await(t, func() bool { return s.path()["rung"] == "direct" }, "the page did not report its path")
}

// TestFallback: nobody answers, so that everything goes over the relay, and the page says why.
func TestFallback(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	s := b.connect(f, "terminal", "auto")
	b.sees(".bar", "Connecting")
	b.sees(".bar .badge", "Relay (443)")
	b.sees(".xterm-rows", "$")
	b.press(".bar button", "Path")
	b.sees(".rungs", "The endpoint sent no address to try.")
	await(t, func() bool { return s.path()["rung"] == "relay" }, "the page did not report its path")
	b.picture("fallback")
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
			b := newTab(t, browser, desktop)
			s := b.connect(f, "terminal", "websocket_only")
			b.sees(".bar", "Waiting for the user")
			b.sees(".bar .count", "0:2")
			s.end(reason)
			b.sees(".ended", text)
		})
	}
}

// TestEndedBefore: a session that ends before the page is attached tells its reason all the same.
func TestEndedBefore(t *testing.T) {
	f := newFake(t)
	f.early = "consent_timeout"
	b := newTab(t, browse(t), desktop)
	b.connect(f, "terminal", "auto")
	b.sees(".ended", "Nobody was there to answer")
}

// TestSessionLink: who has the link of a session alone is in it, and the secret is not left in the address.
func TestSessionLink(t *testing.T) {
	f := newFake(t)
	browser := browse(t)
	s := f.open("pc-1", "websocket_only")
	link := f.url("#/session/" + s.id + "/" + s.token)
	b := newTab(t, browser, desktop)
	b.run(chromedp.Navigate(link))
	b.sees(".xterm-rows", "$")
	if got := value[string](b, "location.href"); got != f.url("#/session/"+s.id) {
		t.Errorf("the address is %s", got)
	}
	b.run(keys("3", altShift))
	b.sees(".folder", "notes.txt")
	b.run(keys("4", altShift))
	b.sees(".processes", "postgres")
	b.run(chromedp.Reload())
	b.sees(".processes", "postgres")
	thief := newTab(t, browser, desktop)
	thief.run(chromedp.Navigate(link))
	thief.sees(".ended", "does not know this link")
	b.sees(".bar", "Live")
}

// TestProcesses sorts, filters and ends one.
func TestProcesses(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), desktop)
	b.connect(f, "processes", "websocket_only")
	b.sees(".processes tbody tr:first-child", "runaway")
	b.press(".processes th button", "Memory")
	b.sees(".processes tbody tr:first-child", "init")
	b.fill(".panel-processes input", "runa")
	b.sees(".count", "1 of 4")
	b.run(chromedp.Focus(".processes tbody tr"), keys(kb.Delete, 0))
	b.press("dialog button", "Ask it to end")
	b.sees(".notice", "runaway (103) was told to end")
	b.sees(".count", "0 of 3")
}

// TestPeerLost: the endpoint's side of a direct connection goes away without a word; the page comes back to it, and to its terminal.
func TestPeerLost(t *testing.T) {
	f := newFake(t)
	browser := browse(t)
	endpoint := newTab(t, browser, desktop)
	endpoint.run(chromedp.Navigate(f.site.URL + "/fake/page/answerer.html"))
	endpoint.holds(`document.title === "ready"`)
	b := newTab(t, browser, desktop)
	s := b.connect(f, "terminal", "auto")
	b.sees(".bar .badge", "Direct")
	b.sees(".xterm-rows", "$")
	b.types("before\r")
	b.sees(".xterm-rows", "ran BEFORE")
	endpoint.run(chromedp.Reload())
	endpoint.holds(`document.title === "ready"`)
	await(t, func() bool { return s.peer() > 1 }, "the page did not offer a new connection")
	b.sees(".bar .badge", "Direct")
	b.sees(".xterm-rows", "ran BEFORE")
	await(t, func() bool { s.remote.mu.Lock(); defer s.remote.mu.Unlock(); return s.remote.attached > 1 }, "the terminal was not taken up again")
	b.types("after\r")
	b.sees(".xterm-rows", "ran AFTER")
}
