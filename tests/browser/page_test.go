package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"signalbox/tests/harness"
)

// within bounds each wait for the page.
const within = time.Minute

// page is one tab of a browser of its own. It must neither fail nor violate its policy.
type page struct {
	t      *testing.T
	ctx    context.Context
	clicks int

	mu    sync.Mutex
	noise []string
}

// browse starts a browser for one test, which saves what it downloads in a folder.
func browse(t *testing.T) *page {
	t.Helper()
	dir, err := os.MkdirTemp("", "signalbox-browser-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(harness.Browser), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(1280, 800), chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1"),
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"), chromedp.Flag("allow-loopback-in-peer-connection", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	p := &page{t: t}
	ctx, stop := chromedp.NewContext(ctx, chromedp.WithListener(p.hear))
	if err := chromedp.Do(ctx); err != nil { // without a limit: it is the browser's life
		t.Fatal(err)
	}
	p.ctx = ctx
	t.Cleanup(func() {
		p.quiet()
		stop()
		cancel()
		// Helpers of the browser may outlive it for a moment, and write.
		harness.Await(t, func() bool { return os.RemoveAll(dir) == nil }, func() string { return dir + " cannot be removed" })
	})
	return p
}

// hear notes errors, warnings and violations.
func (p *page) hear(event any) {
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

func (p *page) quiet() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.noise) > 0 {
		p.t.Errorf("the page said:\n%s", strings.Join(p.noise, "\n"))
	}
}

func (p *page) run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail(err)
	}
}

// open goes to an address.
func (p *page) open(url string) {
	p.t.Helper()
	p.run(chromedp.Navigate(url))
}

// fail ends the test, with what the page shows.
func (p *page) fail(err error) {
	p.t.Helper()
	p.picture("failed")
	shown, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	p.t.Fatalf("%v; the page shows:\n%s", err, shown)
}

// sees waits until an element that is shown holds a text.
func (p *page) sees(selector, text string) {
	p.t.Helper()
	p.holds(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.checkVisibility() && e.textContent.includes(%q))`, selector, text))
}

// holds waits until an expression is true.
func (p *page) holds(expression string) {
	p.t.Helper()
	p.run(chromedp.Steps(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(within-time.Second))(ctx, target)
		if err != nil {
			err = fmt.Errorf("%s: %w", expression, err)
		}
		return err
	})))
}

// click clicks the first element that is shown, can be pressed and holds a text.
func (p *page) click(selector, text string) {
	p.t.Helper()
	found := fmt.Sprintf(`[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() && !e.disabled && e.textContent.includes(%q))`, selector, text)
	p.holds("Boolean(" + found + ")")
	p.run(chromedp.Evaluate[chromedp.Void]("void " + found + ".click()"))
	p.clicks++
}

// choose chooses an entry of a list.
func (p *page) choose(selector, option string) {
	p.t.Helper()
	p.run(chromedp.SetValue(selector, option))
}

// types types a line into the terminal that is shown.
func (p *page) types(line string) {
	p.t.Helper()
	p.run(chromedp.Focus(".panel-terminal textarea"), keys(line+"\r"))
}

// keys presses the keys of a text in whatever has the focus.
func keys(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, r := range text {
			events := kb.Encode(r)
			down, up := *events[0], *events[len(events)-1]
			if len(events) == 3 {
				down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
			}
			for _, e := range []input.DispatchKeyEventParams{down, up} {
				if _, err := cdp.Call(ctx, target, input.DispatchKeyEvent, e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// prints waits until a row of the terminal begins with a text.
func (p *page) prints(text string) {
	p.t.Helper()
	p.holds(printed(text))
}

// insists types a line again and again until a row of the terminal begins with a text: what is typed while a connection breaks may be lost with it.
func (p *page) insists(line, text string) {
	p.t.Helper()
	for end := time.Now().Add(within); ; {
		p.types(line)
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](printed(text), chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(again)))
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			p.fail(fmt.Errorf("no row begins with %s: %w", text, err))
		}
	}
}

// again is how long a typed line is waited for before it is typed again.
const again = 3 * time.Second

func printed(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".panel-terminal .xterm-rows > div")].some((e) => e.textContent.startsWith(%q))`, text)
}

// prompt waits until the terminal shows that the shell is ready.
func (p *page) prompt() {
	p.t.Helper()
	p.holds(`[...document.querySelectorAll(".panel-terminal .xterm-rows > div")].some((e) => /[$#]\s*$/.test(e.textContent))`)
}

// computes has the shell say what it was not told, so that an echo is no answer.
func (p *page) computes() {
	p.t.Helper()
	p.prompt()
	p.types("echo $((6*7))")
	p.prints("42")
}

// picture keeps a screenshot among the test's artifacts.
func (p *page) picture(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Logf("no screenshot of %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// fill types into a field.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	p.run(chromedp.Focus(selector), keys(text))
}

// name makes a file's name of an address within the console.
func name(fragment string) string {
	return strings.ReplaceAll(strings.TrimPrefix(fragment, "#/"), "/", "-")
}
