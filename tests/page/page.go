package page

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is one tab. Its methods end its test where something does not come.
type Page struct {
	Clicks int // by Click

	t    *testing.T
	ctx  context.Context
	look Look

	mu    sync.Mutex
	noise []string
}

// Open opens a tab for one test, which fails if the page says anything wrong until then.
func (b *Browser) Open(t *testing.T, l Look) *Page {
	t.Helper()
	p := &Page{t: t, look: l}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithListener(p.hear))
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // without a limit: it is the tab's life
		t.Fatal(err)
	}
	p.Run(l.set())
	t.Cleanup(func() {
		if said := p.said(); said != "" {
			t.Errorf("the page said:\n%s", said)
		}
		cancel()
	})
	return p
}

// hear notes errors, warnings and violations.
func (p *Page) hear(event any) {
	said := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		said = "exception: " + fmt.Sprintf("%+v", e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			for _, a := range e.Args {
				said += fmt.Sprintf("console: %s %s ", a.Value, a.Description)
			}
		}
	case *log.EventEntryAdded:
		// A refusal of the API is an answer, not a failure; a WebSocket that is cut is what some tests do.
		if l := e.Entry.Level; (l == log.EntryLevelError || l == log.EntryLevelWarning) && !strings.Contains(e.Entry.URL, "/console/api/") {
			said = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if said == "" || strings.Contains(said, "WebSocket connection to") {
		return
	}
	p.mu.Lock()
	p.noise = append(p.noise, said)
	p.mu.Unlock()
}

// said is what the page has said so far.
func (p *Page) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.noise, "\n")
}

// Run runs steps, at most for Within.
func (p *Page) Run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := p.try(Within, steps...); err != nil {
		p.Fail(err)
	}
}

func (p *Page) try(within time.Duration, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// Go goes to an address.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.Run(chromedp.Navigate(url))
}

// Fail ends the test, with what the page shows.
func (p *Page) Fail(err error) {
	p.t.Helper()
	p.t.Fatalf("%v; the page shows:\n%s\nand said:\n%s", err, p.shows(), p.said())
}

// shows is where the page is and what it shows, which a picture keeps; empty if it does not answer.
func (p *Page) shows() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	if err := p.keep(ctx, "failed"); err != nil {
		return ""
	}
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	return text
}

// Sees waits until an element that is shown holds a text.
func (p *Page) Sees(selector, text string) {
	p.t.Helper()
	p.Holds(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.checkVisibility() && e.textContent.includes(%q))`, selector, text))
}

// Holds waits until an expression is true.
func (p *Page) Holds(expression string) {
	p.t.Helper()
	if err := p.Comes(expression, Within-time.Second); err != nil {
		p.Fail(err)
	}
}

// Comes reports by an error whether an expression does not become true in time.
func (p *Page) Comes(expression string, within time.Duration) error {
	return p.try(within+time.Second, chromedp.Steps(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(within))(ctx, target)
		if err != nil {
			err = fmt.Errorf("%s: %w", expression, err)
		}
		return err
	})))
}

// Click clicks the first element that is shown, can be pressed and holds a text.
func (p *Page) Click(selector, text string) {
	p.t.Helper()
	found := fmt.Sprintf(`[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() && !e.disabled && e.textContent.includes(%q))`, selector, text)
	p.Holds("Boolean(" + found + ")")
	p.Eval(found + ".click()")
	p.Clicks++
}

// Choose chooses an entry of a list.
func (p *Page) Choose(selector, option string) {
	p.t.Helper()
	p.Run(chromedp.SetValue(selector, option))
}

// Eval runs a statement in the page.
func (p *Page) Eval(statement string) {
	p.t.Helper()
	p.Run(chromedp.Evaluate[chromedp.Void]("void (" + statement + ")"))
}

// Value evaluates an expression.
func Value[T any](p *Page, expression string, options ...chromedp.EvaluateOption) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Within)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		p.Fail(fmt.Errorf("%s: %w", expression, err))
	}
	return v
}
