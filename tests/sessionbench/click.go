package sessionbench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"signalbox/tests/beside"
	"signalbox/tests/page"
)

// settled is how long a page is left alone before it is clicked, as by somebody who looks at it first.
const settled = 500 * time.Millisecond

// clickWays are the ways on which a terminal is awaited in a browser: directly, and over any transport of TURN. The first leads also from the click that warms the browser up.
var clickWays = []struct{ key, transport, badge string }{{"click/direct", "auto", "Direct"}, {"click/turn", "turn_only", "TURN over"}}

// stopwatch has the page keep, as window.took, the milliseconds from the click on Connect, before the page itself sees that, to the first text in the first row of a terminal.
const stopwatch = `(() => {
  let clicked = 0;
  addEventListener("click", (e) => { if (e.target.closest(".connect button.primary")) clicked = performance.now(); }, { capture: true });
  const row = () => document.querySelector(".panel-terminal .xterm-rows > div");
  new MutationObserver((_, me) => {
    if (!clicked || !row()?.textContent.trim()) return;
    window.took = performance.now() - clicked;
    me.disconnect();
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
})()`

// clicks measures from a technician's click in a browser that this round starts.
func (b *bench) clicks(ctx context.Context) error {
	if b.Clicks == nil {
		return nil
	}
	var err error
	if !b.Clicks.Run("clicks", func(t *testing.T) { err = b.browse(ctx, page.Start(t).Open(t, page.Desktop)) }) {
		return errors.New("clicks: the browser's test has failed")
	}
	return err
}

func (b *bench) browse(ctx context.Context, p *page.Page) error {
	if err := b.signIn(ctx, p); err != nil {
		return fmt.Errorf("clicks: %w", err)
	}
	took, err := click(ctx, p, clickWays[0].transport, clickWays[0].badge)
	if err != nil {
		return err
	}
	b.add("click/first", took)
	for _, way := range clickWays {
		for range b.Scale.Clicks {
			if took, err = click(ctx, p, way.transport, way.badge); err != nil {
				return err
			}
			b.add(way.key, took)
		}
	}
	return nil
}

// signIn signs a new technician in, and goes to the terminals of pc-1.
func (b *bench) signIn(ctx context.Context, p *page.Page) error {
	var made struct{ ID string }
	if err := b.post(ctx, "/v1/technicians", `{"name":"ada","roles":["admin"]}`, &made); err != nil {
		return err
	}
	var link struct{ URL string }
	if err := b.post(ctx, "/v1/technicians/ada/link", "", &link); err != nil {
		return err
	}
	p.Go(link.URL)
	p.Sees(".list-name", "pc-1")
	console, _, _ := strings.Cut(link.URL, "#")
	p.Go(console + "#/endpoints/pc-1/terminal")
	return nil
}

// click opens a session on a page that was loaded anew, and ends it. It returns the milliseconds to its terminal.
func click(ctx context.Context, p *page.Page, transport, badge string) (float64, error) {
	p.Run(chromedp.Reload())
	p.Click("summary", "Path")
	p.Choose("select[name=transport]", transport)
	p.Sees(".title", "Online")
	if err := beside.Pause(ctx, settled); err != nil {
		return 0, err
	}
	p.Eval(stopwatch)
	p.Click(".connect button.primary", "Connect")
	p.Holds("window.took > 0")
	took := page.Value[float64](p, "window.took")
	p.Sees(".bar .badge", badge)
	p.Click(".bar button", "End")
	p.Click("dialog button", "End the session")
	p.Sees(".ended", "You ended the session.")
	return took, nil
}
