package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"signalbox/tests/harness"
)

// within bounds each wait for the page.
const within = 30 * time.Second

// browse starts a browser for one test; its context makes tabs of one profile.
func browse(t *testing.T) context.Context {
	t.Helper()
	if _, err := exec.LookPath(harness.Browser); err != nil {
		t.Skipf("LEFT OUT: the console in a browser: it is not installed (Debian package %s)", harness.Browser)
	}
	dir, err := os.MkdirTemp("", "signalbox-console-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(harness.Browser), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"), chromedp.Flag("allow-loopback-in-peer-connection", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cancel()
		// Helpers of the browser may outlive it for a moment, and write.
		harness.Await(t, func() bool { return os.RemoveAll(dir) == nil }, func() string { return dir + " cannot be removed" })
	})
	return ctx
}

// look is how a page is looked at.
type look struct {
	width, height int64
	dark          bool
}

func (l look) String() string {
	theme := "light"
	if l.dark {
		theme = "dark"
	}
	return fmt.Sprintf("%d-%s", l.width, theme)
}

var desktop = look{1280, 800, false}

// tab is one page, which must neither fail nor violate its policy.
type tab struct {
	t    *testing.T
	ctx  context.Context
	look look

	mu    sync.Mutex
	noise []string
}

func newTab(t *testing.T, browser context.Context, l look) *tab {
	t.Helper()
	b := &tab{t: t, look: l}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(b.hear))
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // without a limit: it is the tab's life
		t.Fatal(err)
	}
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	b.run(chromedp.EmulateViewport(l.width, l.height), chromedp.Func(func(ctx context.Context, page *chromedp.Target) error {
		_, err := cdp.Call(ctx, page, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.noise) > 0 {
			t.Errorf("the page said:\n%s", strings.Join(b.noise, "\n"))
		}
		cancel()
	})
	return b
}

// hear notes errors, warnings and violations.
func (b *tab) hear(event any) {
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
	b.mu.Lock()
	b.noise = append(b.noise, said)
	b.mu.Unlock()
}

func (b *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fail(err)
	}
}

// fail ends the test, with what the page shows.
func (b *tab) fail(err error) {
	b.t.Helper()
	b.mu.Lock()
	noise := strings.Join(b.noise, "\n")
	b.mu.Unlock()
	b.picture("failed")
	b.t.Fatalf("%v; the page shows:\n%s\nand said:\n%s", err, b.text("body"), noise)
}

// sees waits until an element holds a text.
func (b *tab) sees(selector, text string) {
	b.t.Helper()
	b.holds(fmt.Sprintf(`[...document.querySelectorAll(%q)].some((e) => e.checkVisibility() && e.textContent.includes(%q))`, selector, text))
}

// holds waits until an expression is true.
func (b *tab) holds(expression string) {
	b.t.Helper()
	b.run(chromedp.Steps(chromedp.Func(func(ctx context.Context, page *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(within-time.Second))(ctx, page)
		if err != nil {
			err = fmt.Errorf("%s: %w", expression, err)
		}
		return err
	})))
}

// press clicks the first element that is seen, can be pressed and holds a text.
func (b *tab) press(selector, text string) {
	b.t.Helper()
	found := fmt.Sprintf(`[...document.querySelectorAll(%q)].find((e) => e.checkVisibility() && !e.disabled && e.textContent.includes(%q))`, selector, text)
	b.holds("Boolean(" + found + ")")
	b.eval(found + ".click()")
}

// eval runs a statement in the page.
func (b *tab) eval(statement string) {
	b.t.Helper()
	b.run(chromedp.Evaluate[chromedp.Void]("void (" + statement + ")"))
}

// value evaluates an expression.
func value[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.fail(fmt.Errorf("%s: %w", expression, err))
	}
	return v
}

// text is what an element shows; empty if the page does not answer.
func (b *tab) text(selector string) string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	return text
}

// picture keeps a screenshot among the test's artifacts.
func (b *tab) picture(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, within)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("no screenshot of %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+"-"+b.look.String()+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// fits checks what must hold of every page: nothing is wider than the window, and whatever can be pressed is large enough for a finger.
func (b *tab) fits(name string) {
	b.t.Helper()
	if wide := value[int](b, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		b.t.Errorf("%s at %s is %d px wider than the window", name, b.look, wide)
	}
	small := value[[]string](b, `[...document.querySelectorAll("button, a.button, select, input:not([type=checkbox])")].filter((e) => e.checkVisibility() && !e.closest(".xterm"))
		.map((e) => [e.textContent || e.name, e.getBoundingClientRect()]).filter(([, r]) => r.width < 44 || r.height < 44).map(([t, r]) => t + " " + r.width + "x" + r.height)`)
	if len(small) > 0 {
		b.t.Errorf("%s at %s has targets below 44 px: %q", name, b.look, small)
	}
	nameless := value[[]string](b, `[...document.querySelectorAll("button, input:not([hidden]), select, a")].filter((e) => e.checkVisibility() && !e.closest(".xterm"))
		.filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120))`)
	if len(nameless) > 0 {
		b.t.Errorf("%s has controls without a name: %q", name, nameless)
	}
	b.picture(name)
}
