package dialog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
	"go.uber.org/goleak"

	xserver "signalbox/tests/screen"
)

// TestMain shows a window where the environment says so: the tests start this program as the agent does.
func TestMain(m *testing.M) {
	if os.Getenv("DIALOG_TEST") == "show" {
		if err := Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// screen is an X server without a screen.
type screen struct {
	*testing.T
	name string
	conn *xgb.Conn
	root xproto.Window
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	s := &screen{T: t, name: xserver.Serve(t)}
	var err error
	if s.conn, err = xgb.NewConnDisplay(s.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.conn.Close)
	if err := xtest.Init(s.conn); err != nil {
		t.Fatal(err)
	}
	s.root = xproto.Setup(s.conn).DefaultScreen(s.conn).Root
	return s
}

// shown is a window that a program of its own shows.
type shown struct {
	*screen
	layout *layout
	feed   io.Closer
	answer chan string
	at     image.Point // of its corner
}

// show starts the program and waits until its window is there and takes answers.
func (s *screen) show(task Task) *shown {
	s.Helper()
	l, err := newLayout(task)
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DIALOG_TEST=show", "DISPLAY="+s.name)
	in, err := cmd.StdinPipe()
	if err != nil {
		s.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	line, err := json.Marshal(task)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := in.Write(append(line, '\n')); err != nil {
		s.Fatal(err)
	}
	w := &shown{screen: s, layout: l, feed: in, answer: make(chan string, 1)}
	go func() {
		if err := cmd.Wait(); err != nil {
			w.answer <- fmt.Sprint(err, ": ", errs.String())
			return
		}
		w.answer <- strings.TrimSpace(out.String())
	}()
	s.Cleanup(func() { _ = in.Close() })
	w.find()
	return w
}

// find waits for the window and for the moment from which it takes answers.
func (w *shown) find() {
	w.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		tree, err := xproto.QueryTree(w.conn, w.root).Reply()
		if err != nil {
			w.Fatal(err)
		}
		for _, id := range tree.Children {
			g, err := xproto.GetGeometry(w.conn, xproto.Drawable(id)).Reply()
			if err != nil || int(g.Width) != w.layout.size.X || int(g.Height) != w.layout.size.Y {
				continue
			}
			a, err := xproto.GetWindowAttributes(w.conn, id).Reply()
			if err == nil && a.MapState == xproto.MapStateViewable {
				w.at = image.Pt(int(g.X), int(g.Y))
				w.settle()
				return
			}
		}
		select {
		case answer := <-w.answer:
			w.Fatalf("no window, but the answer %s", answer)
		default:
		}
	}
	w.Fatal("no window appears")
}

// settle waits until the window takes answers: its program counts from when it hears that the window is there, on a busy machine later than we do.
func (w *shown) settle() {
	<-time.After(grace + time.Second)
}

// click presses the mouse on a button of the window, as a hand does.
func (w *shown) click(button int) {
	w.Helper()
	b := w.layout.buttons[button]
	x, y := w.at.X+(b.Min.X+b.Max.X)/2, w.at.Y+(b.Min.Y+b.Max.Y)/2
	w.fake(xproto.MotionNotify, 0, x, y)
	w.fake(xproto.ButtonPress, 1, 0, 0)
	w.fake(xproto.ButtonRelease, 1, 0, 0)
}

func (w *shown) fake(kind, detail byte, x, y int) {
	w.Helper()
	if err := xtest.FakeInputChecked(w.conn, kind, detail, 0, w.root, int16(x), int16(y), 0).Check(); err != nil {
		w.Fatal(err)
	}
}

// press presses a key with the pointer in the window, which has no window manager to get the focus from.
func (w *shown) press(sym xproto.Keysym) {
	w.Helper()
	setup := xproto.Setup(w.conn)
	count := byte(setup.MaxKeycode-setup.MinKeycode) + 1
	m, err := xproto.GetKeyboardMapping(w.conn, setup.MinKeycode, count).Reply()
	if err != nil {
		w.Fatal(err)
	}
	w.fake(xproto.MotionNotify, 0, w.at.X+5, w.at.Y+5)
	for i := range int(count) {
		if m.Keysyms[i*int(m.KeysymsPerKeycode)] == sym {
			code := byte(setup.MinKeycode) + byte(i)
			w.fake(xproto.KeyPress, code, 0, 0)
			w.fake(xproto.KeyRelease, code, 0, 0)
			return
		}
	}
	w.Fatalf("no key for %x", sym)
}

func (w *shown) answers(want string) {
	w.Helper()
	select {
	case got := <-w.answer:
		if got != want {
			w.Errorf("the answer is %s, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		w.Error("no answer")
	}
}

// TestAnswers has the mouse and keys of a real X server answer.
func TestAnswers(t *testing.T) {
	s := newScreen(t)
	for _, tc := range []struct {
		name, want string
		task       Task
		do         func(*shown)
	}{
		{"allow by mouse", "0", ask, func(w *shown) { w.click(0) }},
		{"deny by mouse", "1", ask, func(w *shown) { w.click(1) }},
		{"the focus denies", "1", ask, func(w *shown) { w.press(keyReturn) }},
		{"allow by keys", "0", ask, func(w *shown) { w.press(keyTab); w.press(keyReturn) }},
		{"escape denies", "1", ask, func(w *shown) { w.press(keyEscape) }},
		{"nobody wants to know", "-2", ask, func(w *shown) { _ = w.feed.Close() }},
		{"the time is over", "-1", Task{Title: "t", Buttons: []string{"Allow", "Deny"}, Seconds: 5}, func(*shown) {}},
		{"end by mouse", "0", Task{Title: "Somebody is connected", Lines: []string{"Zoë"}, Buttons: []string{"End the connection"}, Notice: true}, func(w *shown) { w.click(0) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := (&screen{T: t, name: s.name, conn: s.conn, root: s.root}).show(tc.task)
			tc.do(w)
			w.answers(tc.want)
		})
	}
}

// TestTooEarly: who clicks where the window appears means something else.
func TestTooEarly(t *testing.T) {
	l, err := newLayout(ask)
	if err != nil {
		t.Fatal(err)
	}
	appeared := time.Now()
	w := &window{layout: l, focus: 1, appeared: appeared, pressed: Nothing, keys: map[xproto.Keycode]xproto.Keysym{9: keyEscape}}
	b := l.buttons[0].Min
	for _, e := range []xgb.Event{
		xproto.ButtonPressEvent{Detail: 1, EventX: int16(b.X), EventY: int16(b.Y)}, xproto.ButtonReleaseEvent{Detail: 1, EventX: int16(b.X), EventY: int16(b.Y)},
		xproto.KeyPressEvent{Detail: 9},
	} {
		if answer, ok := w.take(e, appeared.Add(grace/2)); ok {
			t.Errorf("%T answers %d", e, answer)
		}
	}
}
