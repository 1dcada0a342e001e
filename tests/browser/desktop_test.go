package browser

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"signalbox/tests/logind"
	"signalbox/tests/page"
)

// desktop is that of a user who is logged in at the endpoint: an X server without a screen, and a system bus on which logind tells of it.
type desktop struct {
	t       *testing.T
	display string
	bus     string
	x       *xgb.Conn
	root    xproto.Window
	user    atomic.Value // user
}

// user is where the desktop's user is.
type user string

const (
	there  user = "in front of the screen"
	behind user = "behind a locked screen"
	away   user = "not logged in"
)

func newDesktop(t *testing.T) *desktop {
	t.Helper()
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("LEFT OUT: questions to a user at a screen: Xvfb is not installed (Debian package xvfb)")
	}
	d := &desktop{t: t}
	d.user.Store(there)
	d.startX()
	d.bus = logind.Start(t, d.logins)
	return d
}

// environment is what the agent needs to find it.
func (d *desktop) environment() []string { return []string{"DBUS_SYSTEM_BUS_ADDRESS=" + d.bus} }

// start runs a program until the test ends and returns the first line that it writes to the file descriptor 3.
func (d *desktop) start(name string, arguments ...string) string {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(name, arguments...)
	cmd.ExtraFiles = []*os.File{w}
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		d.t.Fatalf("%s does not say where it is: %v", name, err)
	}
	return strings.TrimSpace(line)
}

func (d *desktop) startX() {
	d.t.Helper()
	d.display = ":" + d.start("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
	var err error
	if d.x, err = xgb.NewConnDisplay(d.display); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(d.x.Close)
	if err := xtest.Init(d.x); err != nil {
		d.t.Fatal(err)
	}
	d.root = xproto.Setup(d.x).DefaultScreen(d.x).Root
}

// logins is what logind says of the user.
func (d *desktop) logins() []logind.Login {
	if d.user.Load() == away {
		return nil
	}
	return []logind.Login{{UID: uint32(os.Getuid()), Type: "x11", Seat: "seat0", Display: d.display, Locked: d.user.Load() == behind}}
}

// Where the buttons of the agent's window are: it is 460 pixels wide, buttons stand 20 above its end.
const (
	windowWidth = 460
	allow       = 122
	deny        = 338
	end         = 230 // of a session that runs
	above       = 38
)

// window waits for a window of the agent.
func (d *desktop) window() (id xproto.Window, corner *xproto.GetGeometryReply) {
	d.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(page.Within); ; {
		for id, g := range d.windows() {
			return id, g
		}
		select {
		case <-tick.C:
		case <-end:
			d.t.Fatal("no window appears")
		}
	}
}

// windows are those of the agent that are shown now.
func (d *desktop) windows() map[xproto.Window]*xproto.GetGeometryReply {
	d.t.Helper()
	tree, err := xproto.QueryTree(d.x, d.root).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	all := map[xproto.Window]*xproto.GetGeometryReply{}
	for _, id := range tree.Children {
		if g, err := xproto.GetGeometry(d.x, xproto.Drawable(id)).Reply(); err == nil && g.Width == windowWidth && d.shown(id) {
			all[id] = g
		}
	}
	return all
}

func (d *desktop) shown(id xproto.Window) bool {
	a, err := xproto.GetWindowAttributes(d.x, id).Reply()
	return err == nil && a.MapState == xproto.MapStateViewable
}

// press presses a button of the agent's window with the mouse until the window goes: at first it takes no answer.
func (d *desktop) press(at int) {
	d.t.Helper()
	id, g := d.window()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(page.Within); d.same(id, g); {
		d.mouse(xproto.MotionNotify, 0, int(g.X)+at, int(g.Y)+int(g.Height)-above)
		d.mouse(xproto.ButtonPress, 1, 0, 0)
		d.mouse(xproto.ButtonRelease, 1, 0, 0)
		select {
		case <-tick.C:
		case <-end:
			d.t.Fatal("the window does not take the answer")
		}
	}
}

// same reports whether a window is there as it was. Another program's may have got its number meanwhile, but no question is as high as a notice.
func (d *desktop) same(id xproto.Window, as *xproto.GetGeometryReply) bool {
	g, err := xproto.GetGeometry(d.x, xproto.Drawable(id)).Reply()
	return err == nil && g.Height == as.Height && d.shown(id)
}

func (d *desktop) mouse(kind, detail byte, x, y int) {
	d.t.Helper()
	if err := xtest.FakeInputChecked(d.x, kind, detail, 0, d.root, int16(x), int16(y), 0).Check(); err != nil {
		d.t.Fatal(err)
	}
}
