package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/tests/page"
)

// matches waits until an element that is shown has a text like that.
func (b *tab) matches(selector, pattern string) {
	b.t.Helper()
	b.Holds(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.checkVisibility() && new RegExp(%q).test(e.textContent))`, selector, pattern))
}

// Where the bar has its facts.
const (
	facts     = ".bar-facts"
	roundTrip = facts + ` [title^="Round trip"]`
	moved     = facts + ` [title$=" received"]`
	timeLeft  = facts + ` [title="The session ends then"]`
)

// TestBar: the bar tells of the round trip, what moves, what the user said, who else watches and how long the session lasts, each as it changes.
func TestBar(t *testing.T) {
	f := newFake(t)
	f.plan = asked
	b := newTab(t, browse(t), page.Desktop)
	s := b.connect(f, "terminal", "websocket_only")
	b.Sees(facts, "The user is asked")
	b.Sees(facts, "Also here: Bob")
	s.set("active", "allowed")
	b.Sees(facts, "The user allowed it")
	b.Sees(".bar .badge", "Relay (443)")
	b.matches(roundTrip, `^[1-9][0-9]* ms$`)
	b.Sees(".xterm-rows", "$")
	b.Types(strings.Repeat("all of this is moved ", 20))
	b.matches(moved, `^↑ [1-9][^/]*/s ↓ [1-9][^/]*/s$`)
	b.matches(timeLeft, `^(1:00:00|59:[0-9]{2}) left$`)
	b.Picture("bar")
	changed := s.status()
	changed["watchers"], changed["consent"], changed["desktop"], changed["expires"] = []string{"Ada L."}, "nobody", "none", at(-10*time.Minute)
	s.send(changed)
	b.Sees(facts, "Nobody else watches")
	b.Sees(facts, "There was nobody to ask: nobody is logged in")
	b.matches(timeLeft, `^(10:00|9:[0-9]{2}) left$`)
}

// TestWhyNotConnected: while there is no way, the pane tells of each why, and what the server knows of the endpoint.
func TestWhyNotConnected(t *testing.T) {
	f := newFake(t)
	b := newTab(t, browse(t), page.Desktop)
	b.connect(f, "terminal", "turn_only") // which the server has not, so that the page looks on for as long as it is open
	b.Sees(".bar", "Connecting")
	b.Click(".bar button", "Why can I not connect?")
	b.Sees(".why h2", "Why can I not connect?")
	b.matches(".rungs li", `^Direct\s+This session may use TURN only\.$`)
	b.matches(".rungs li", `^TURN over UDP\s+The server offers no TURN over UDP\.$`)
	b.matches(".rungs li", `^TURN over TLS \(443\)\s+The server offers no TURN over TLS \(443\)\.$`)
	b.matches(".rungs li", `^Relay \(443\)\s+for files alone`)
	b.Sees(".why h3", "What the server knows of the endpoint")
	b.Sees(".why .verdict", "The endpoint is online.")
	b.matches(".why .steps li", `^TLS\s+ok`)
	b.Sees(".bar", "Connecting")
	b.fits("why-connecting")
	b.Click(".why button[aria-label=Close]", "×")
	b.Holds(`!document.querySelector(".why")`)
}
