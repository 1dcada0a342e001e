package page

import (
	"context"
	"os"
	"path/filepath"
	"regexp"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// Picture keeps a picture of the page, TEST-NAME-LOOK.png, among the test's artifacts, which make puts beside its logs. The test's log says where.
func (p *Page) Picture(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Within)
	defer cancel()
	if err := p.keep(ctx, name); err != nil {
		p.t.Fatalf("picture of %s: %v", name, err)
	}
}

func (p *Page) keep(ctx context.Context, name string) error {
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err
	}
	test := regexp.MustCompile(`\W+`).ReplaceAllString(p.t.Name(), "-")
	file := filepath.Join(p.t.ArtifactDir(), test+"-"+name+"-"+p.look.String()+".png")
	p.t.Logf("picture: %s", file)
	return os.WriteFile(file, png, 0o644)
}

// DownloadsTo has the browser keep what the page downloads in a folder.
func (p *Page) DownloadsTo(folder string) {
	p.t.Helper()
	params := browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder}
	if _, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, params); err != nil {
		p.t.Fatal(err)
	}
}
