package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"signalbox/tests/page"
)

// visit is a technician's page, in a browser of its own.
type visit struct {
	*page.Page
	t *testing.T
}

// browse starts a browser for one test.
func browse(t *testing.T) *visit {
	t.Helper()
	names := chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1")
	return &visit{page.Start(t, names).Open(t, page.Desktop), t}
}

// enters types a line into the terminal that is shown.
func (p *visit) enters(line string) {
	p.t.Helper()
	p.Types(line + "\r")
}

// prints waits until a row of the terminal begins with a text.
func (p *visit) prints(text string) {
	p.t.Helper()
	p.Holds(printed(text))
}

// again is how long a typed line is waited for before it is typed again.
const again = 3 * time.Second

// insists types a line again and again until a row of the terminal begins with a text: what is typed while a connection breaks may be lost with it.
func (p *visit) insists(line, text string) {
	p.t.Helper()
	for end := time.Now().Add(page.Within); ; {
		p.enters(line)
		err := p.Comes(printed(text), again)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			p.Fail(fmt.Errorf("no row begins with %s: %w", text, err))
		}
	}
}

func printed(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".panel-terminal .xterm-rows > div")].some((e) => e.textContent.startsWith(%q))`, text)
}

// prompt waits until the terminal shows that the shell is ready.
func (p *visit) prompt() {
	p.t.Helper()
	p.Holds(`[...document.querySelectorAll(".panel-terminal .xterm-rows > div")].some((e) => /[$#]\s*$/.test(e.textContent))`)
}

// computes has the shell say what it was not told, so that an echo is no answer.
func (p *visit) computes() {
	p.t.Helper()
	p.prompt()
	p.enters("echo $((6*7))")
	p.prints("42")
}

// name makes a file's name of an address within the console.
func name(fragment string) string {
	return strings.ReplaceAll(strings.TrimPrefix(fragment, "#/"), "/", "-")
}
