package page

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// AltShift is held while a key is pressed.
const AltShift = int64(kb.ModifierAlt | kb.ModifierShift)

// Keys presses each key of a text as a keyboard does: a page that takes a key down gets no character for it.
func Keys(text string, modifiers int64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, r := range text {
			events := kb.Encode(r)
			down, up := *events[0], *events[len(events)-1]
			if len(events) == 3 {
				down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			}
			for _, e := range []input.DispatchKeyEventParams{down, up} {
				e.Modifiers |= modifiers
				if _, err := cdp.Call(ctx, target, input.DispatchKeyEvent, e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Keys presses keys in whatever has the focus.
func (p *Page) Keys(text string) {
	p.t.Helper()
	p.Run(Keys(text, 0))
}

// Fill types into a field, in place of what is in it.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	p.Run(chromedp.Focus(selector), chromedp.Evaluate[chromedp.Void]("void document.activeElement.select()"), Keys(kb.Backspace+text, 0))
}

// Types types into the terminal that is shown.
func (p *Page) Types(text string) {
	p.t.Helper()
	p.Run(chromedp.Focus(".panel-terminal textarea"), Keys(text, 0))
}
