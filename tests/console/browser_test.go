package console

import (
	"testing"

	"signalbox/tests/page"
)

// tab is a page of the console.
type tab struct {
	*page.Page
	t    *testing.T
	look page.Look
}

// browse starts a browser for one test, whose tabs share a profile.
func browse(t *testing.T) *page.Browser {
	t.Helper()
	if why := page.Missing("the console in a browser"); why != "" {
		t.Skip(why)
	}
	return page.Start(t)
}

func newTab(t *testing.T, browser *page.Browser, l page.Look) *tab {
	t.Helper()
	return &tab{browser.Open(t, l), t, l}
}

// fits checks what must hold of every page: nothing is wider than the window, and whatever can be pressed has a name and is large enough for a finger. It keeps a picture.
func (b *tab) fits(name string) {
	b.t.Helper()
	if wide := page.Value[int](b.Page, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		b.t.Errorf("%s at %s is %d px wider than the window", name, b.look, wide)
	}
	small := page.Value[[]string](b.Page, `[...document.querySelectorAll("button, a.button, select, input:not([type=checkbox])")].filter((e) => e.checkVisibility() && !e.closest(".xterm"))
		.map((e) => [e.textContent || e.name, e.getBoundingClientRect()]).filter(([, r]) => r.width < 44 || r.height < 44).map(([t, r]) => t + " " + r.width + "x" + r.height)`)
	if len(small) > 0 {
		b.t.Errorf("%s at %s has targets below 44 px: %q", name, b.look, small)
	}
	nameless := page.Value[[]string](b.Page, `[...document.querySelectorAll("button, input:not([hidden]), select, a")].filter((e) => e.checkVisibility() && !e.closest(".xterm"))
		.filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120))`)
	if len(nameless) > 0 {
		b.t.Errorf("%s has controls without a name: %q", name, nameless)
	}
	b.Picture(name)
}
