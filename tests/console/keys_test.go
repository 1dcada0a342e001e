package console

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// altShift is held while a key is pressed.
const altShift = int64(kb.ModifierAlt | kb.ModifierShift)

// keys presses each key of a text as a keyboard does: a page that takes a key down gets no character for it.
func keys(text string, modifiers int64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, page *chromedp.Target) error {
		for _, r := range text {
			events := kb.Encode(r)
			down, up := *events[0], *events[len(events)-1]
			if len(events) == 3 {
				down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			}
			for _, e := range []input.DispatchKeyEventParams{down, up} {
				e.Modifiers |= modifiers
				if _, err := cdp.Call(ctx, page, input.DispatchKeyEvent, e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// keys presses keys in whatever has the focus.
func (b *tab) keys(text string) {
	b.t.Helper()
	b.run(keys(text, 0))
}

// fill types into a field, in place of what is in it.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.run(chromedp.Focus(selector), chromedp.Evaluate[chromedp.Void]("void document.activeElement.select()"), keys(kb.Backspace+text, 0))
}
