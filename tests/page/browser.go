// Package page drives a real browser in tests: pages that must neither fail nor violate their policy, what is typed, clicked and seen on them, and pictures of it.
package page

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"signalbox/tests/harness"
)

// Within bounds each wait for a page.
const Within = time.Minute

// Browser is one with a profile of its own, until its test ends.
type Browser struct{ ctx context.Context }

// Missing says why a suite cannot run here, as its TestMain or a test prints it; empty: the browser is installed.
func Missing(suite string) string {
	if _, err := exec.LookPath(harness.Browser); err != nil {
		return fmt.Sprintf("LEFT OUT: %s: the browser is not installed (Debian package %s)", suite, harness.Browser)
	}
	return ""
}

// Start starts a browser that takes every certificate, and names loopback among its addresses for WebRTC. Further flags of Chromium may be given.
func Start(t *testing.T, flags ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	dir, err := os.MkdirTemp("", "signalbox-browser-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(harness.Browser), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"), chromedp.Flag("allow-loopback-in-peer-connection", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(options, flags...)...)
	ctx, stop := chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil { // without a limit: it is the browser's life
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cancel()
		// Helpers of the browser may outlive it for a moment, and write.
		harness.Await(t, func() bool { return os.RemoveAll(dir) == nil }, func() string { return dir + " cannot be removed" })
	})
	return &Browser{ctx}
}

// Look is how a page is looked at: its window in pixels, and whether its user prefers dark pages.
type Look struct {
	Width, Height int64
	Dark          bool
}

// Desktop is how most look at a page.
var Desktop = Look{Width: 1280, Height: 800}

// String names the look, for pictures and tests.
func (l Look) String() string { return fmt.Sprintf("%d-%s", l.Width, l.scheme()) }

func (l Look) scheme() string {
	if l.Dark {
		return "dark"
	}
	return "light"
}

// set has a page looked at like that.
func (l Look) set() chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.EmulateViewport(l.Width, l.Height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme()}}}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, scheme)
		return err
	}))
}
