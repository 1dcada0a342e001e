// Package screen is an X server without a screen, with a hand on its mouse, for tests of the windows that the agent shows.
package screen

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// within bounds what is waited for; only what fails waits it out.
const within = time.Minute

// Screen is an X server. Its methods fail the test, and are called by its goroutine.
type Screen struct {
	Display string // ":1"
	t       *testing.T
	x       *xgb.Conn
	root    xproto.Window
}

// Start runs Serve. With -auth the variable XAUTHORITY says how the hand on its mouse gets in.
func Start(t *testing.T, arguments ...string) *Screen {
	t.Helper()
	s := &Screen{t: t, Display: Serve(t, arguments...)}
	s.connect()
	return s
}

// Serve starts Xvfb with further arguments, until the test ends, or leaves the test out. It returns the display, such as ":1".
func Serve(t *testing.T, arguments ...string) (display string) {
	t.Helper()
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("LEFT OUT: windows on a real X server: Xvfb is not installed (Debian package xvfb)")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", append([]string{"-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"}, arguments...)...)
	cmd.ExtraFiles = []*os.File{w}
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb names no display: %v", err)
	}
	return ":" + strings.TrimSpace(number)
}

func (s *Screen) connect() {
	s.t.Helper()
	var err error
	if s.x, err = xgb.NewConnDisplay(s.Display); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.x.Close)
	if err := xtest.Init(s.x); err != nil {
		s.t.Fatal(err)
	}
	s.root = xproto.Setup(s.x).DefaultScreen(s.x).Root
}

// Where the buttons of the agent's window are: it is 460 pixels wide, buttons stand 20 above its end.
const (
	windowWidth = 460
	Allow       = 122
	Deny        = 338
	End         = 230 // of a session that runs
	above       = 38
)

// Window waits for a window of the agent.
func (s *Screen) Window() (id xproto.Window, corner *xproto.GetGeometryReply) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(within); ; {
		for id, g := range s.Windows() {
			return id, g
		}
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatal("no window appears")
		}
	}
}

// Windows are those of the agent that are shown now.
func (s *Screen) Windows() map[xproto.Window]*xproto.GetGeometryReply {
	s.t.Helper()
	tree, err := xproto.QueryTree(s.x, s.root).Reply()
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[xproto.Window]*xproto.GetGeometryReply{}
	for _, id := range tree.Children {
		if g, err := xproto.GetGeometry(s.x, xproto.Drawable(id)).Reply(); err == nil && g.Width == windowWidth && s.shown(id) {
			all[id] = g
		}
	}
	return all
}

func (s *Screen) shown(id xproto.Window) bool {
	a, err := xproto.GetWindowAttributes(s.x, id).Reply()
	return err == nil && a.MapState == xproto.MapStateViewable
}

// Press presses a button of the agent's window, such as Allow, with the mouse until the window goes: at first it takes no answer.
func (s *Screen) Press(at int) {
	s.t.Helper()
	id, g := s.Window()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(within); s.same(id, g); {
		s.mouse(xproto.MotionNotify, 0, int(g.X)+at, int(g.Y)+int(g.Height)-above)
		s.mouse(xproto.ButtonPress, 1, 0, 0)
		s.mouse(xproto.ButtonRelease, 1, 0, 0)
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatal("the window does not take the answer")
		}
	}
}

// same reports whether a window is there as it was. Another program's may have got its number meanwhile, but no question is as high as a notice.
func (s *Screen) same(id xproto.Window, as *xproto.GetGeometryReply) bool {
	g, err := xproto.GetGeometry(s.x, xproto.Drawable(id)).Reply()
	return err == nil && g.Height == as.Height && s.shown(id)
}

func (s *Screen) mouse(kind, detail byte, x, y int) {
	s.t.Helper()
	if err := xtest.FakeInputChecked(s.x, kind, detail, 0, s.root, int16(x), int16(y), 0).Check(); err != nil {
		s.t.Fatal(err)
	}
}
