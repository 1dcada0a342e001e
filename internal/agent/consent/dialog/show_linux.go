package dialog

import (
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// grace is how long after its appearance the window takes no answer: whoever is typing or clicking does not mean it.
const grace = 800 * time.Millisecond

// Keys of X11 by their symbols (keysymdef.h).
const (
	keyEscape = 0xFF1B
	keyReturn = 0xFF0D
	keyTab    = 0xFF09
	keyLeft   = 0xFF51
	keyRight  = 0xFF53
	keySpace  = 0x20
)

// window is a Task on an X11 display.
type window struct {
	*layout
	conn  *xgb.Conn
	id    xproto.Window
	gc    xproto.Gcontext
	depth byte
	keys  map[xproto.Keycode]xproto.Keysym
	close xproto.Atom // WM_DELETE_WINDOW

	focus    int
	pressed  int // the button on which the mouse went down; Nothing: none
	appeared time.Time
}

// Show shows a Task on the X11 display of the environment and returns the index of the button that the user pressed, Nothing or Gone.
func Show(t Task, now func() time.Time, stop <-chan struct{}) (int, error) {
	l, err := newLayout(t)
	if err != nil {
		return 0, err
	}
	conn, err := xgb.NewConn()
	if err != nil {
		return 0, fmt.Errorf("reach the X11 display: %w", err)
	}
	defer conn.Close()
	w := &window{layout: l, conn: conn, focus: len(t.Buttons) - 1, pressed: Nothing}
	if err := w.open(); err != nil {
		return 0, fmt.Errorf("open a window: %w", err)
	}
	w.appeared = now()
	return w.run(now, stop)
}

func (w *window) open() (err error) {
	setup := xproto.Setup(w.conn)
	screen := setup.DefaultScreen(w.conn)
	if w.depth = screen.RootDepth; w.depth != 24 && w.depth != 32 {
		return fmt.Errorf("a display with %d bits for each pixel is not supported", w.depth)
	}
	if w.id, err = xproto.NewWindowId(w.conn); err != nil {
		return err
	}
	x, y := (int(screen.WidthInPixels)-w.size.X)/2, (int(screen.HeightInPixels)-w.size.Y)/3
	if w.task.Notice {
		x, y = int(screen.WidthInPixels)-w.size.X-margin, margin
	}
	const events = xproto.EventMaskExposure | xproto.EventMaskKeyPress | xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease | xproto.EventMaskStructureNotify
	err = xproto.CreateWindowChecked(w.conn, w.depth, w.id, screen.Root, int16(max(0, x)), int16(max(0, y)), uint16(w.size.X), uint16(w.size.Y), 0,
		xproto.WindowClassInputOutput, screen.RootVisual, xproto.CwBackPixel|xproto.CwEventMask, []uint32{screen.WhitePixel, events}).Check()
	if err != nil {
		return err
	}
	if w.gc, err = xproto.NewGcontextId(w.conn); err != nil {
		return err
	}
	if err := xproto.CreateGCChecked(w.conn, w.gc, xproto.Drawable(w.id), 0, nil).Check(); err != nil {
		return err
	}
	if err := errors.Join(w.readKeys(setup), w.describe()); err != nil {
		return err
	}
	return xproto.MapWindowChecked(w.conn, w.id).Check()
}

// describe tells the window manager what the window is (ICCCM, EWMH).
func (w *window) describe() error {
	text := func(name, kind, value string) error {
		return w.property(name, kind, 8, []byte(value))
	}
	var err error
	if w.close, err = w.atom("WM_DELETE_WINDOW"); err != nil {
		return err
	}
	return errors.Join(
		text("WM_NAME", "STRING", w.task.Title),
		text("_NET_WM_NAME", "UTF8_STRING", w.task.Title),
		text("WM_CLASS", "STRING", "signalbox-agent\x00Signalbox\x00"),
		w.atoms("WM_PROTOCOLS", "WM_DELETE_WINDOW"),
		w.atoms("_NET_WM_WINDOW_TYPE", "_NET_WM_WINDOW_TYPE_DIALOG"),
		w.atoms("_NET_WM_STATE", "_NET_WM_STATE_ABOVE", "_NET_WM_STATE_STICKY"),
	)
}

func (w *window) atoms(name string, values ...string) error {
	var list []byte
	for _, v := range values {
		a, err := w.atom(v)
		if err != nil {
			return err
		}
		list = append(list, byte(a), byte(a>>8), byte(a>>16), byte(a>>24))
	}
	return w.property(name, "ATOM", 32, list)
}

func (w *window) atom(name string) (xproto.Atom, error) {
	r, err := xproto.InternAtom(w.conn, false, uint16(len(name)), name).Reply()
	if err != nil {
		return 0, err
	}
	return r.Atom, nil
}

func (w *window) property(name, kind string, bits byte, data []byte) error {
	n, err := w.atom(name)
	if err != nil {
		return err
	}
	k, err := w.atom(kind)
	if err != nil {
		return err
	}
	return xproto.ChangePropertyChecked(w.conn, xproto.PropModeReplace, w.id, n, k, bits, uint32(len(data)*8/int(bits)), data).Check()
}

// readKeys learns which key is which.
func (w *window) readKeys(setup *xproto.SetupInfo) error {
	first, count := setup.MinKeycode, byte(setup.MaxKeycode-setup.MinKeycode)+1
	m, err := xproto.GetKeyboardMapping(w.conn, first, count).Reply()
	if err != nil {
		return err
	}
	w.keys = make(map[xproto.Keycode]xproto.Keysym, count)
	for i := range int(count) {
		w.keys[first+xproto.Keycode(i)] = m.Keysyms[i*int(m.KeysymsPerKeycode)]
	}
	return nil
}

// run paints and listens until there is an answer.
func (w *window) run(now func() time.Time, stop <-chan struct{}) (int, error) {
	events := make(chan xgb.Event)
	done := make(chan struct{})
	defer close(done)
	go func() { // ends when Show closes the connection, or has ended
		defer close(events)
		for {
			e, err := w.conn.WaitForEvent()
			if e == nil && err == nil {
				return
			}
			if e == nil {
				continue // of a request that nobody waits for
			}
			select {
			case events <- e:
			case <-done:
				return
			}
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return Gone, nil
			}
			if answer, ok := w.take(e, now()); ok {
				return answer, nil
			}
		case <-tick.C:
			if w.task.Seconds > 0 && now().Sub(w.appeared) >= time.Duration(w.task.Seconds)*time.Second {
				return Nothing, nil
			}
			w.paint(now())
		case <-stop:
			return Gone, nil
		}
	}
}

// take does what an event says; true: it answers.
func (w *window) take(e xgb.Event, now time.Time) (answer int, ok bool) {
	early := now.Sub(w.appeared) < grace
	switch e := e.(type) {
	case xproto.ExposeEvent:
		w.paint(now)
	case xproto.ButtonPressEvent:
		if w.pressed = Nothing; e.Detail == 1 && !early {
			w.pressed = w.at(image.Pt(int(e.EventX), int(e.EventY)))
		}
	case xproto.ButtonReleaseEvent:
		at := w.at(image.Pt(int(e.EventX), int(e.EventY)))
		if e.Detail == 1 && at != Nothing && at == w.pressed {
			return at, true
		}
	case xproto.KeyPressEvent:
		if !early {
			return w.key(w.keys[e.Detail], now)
		}
	case xproto.ClientMessageEvent:
		if e.Format == 32 && xproto.Atom(e.Data.Data32[0]) == w.close {
			return w.closed()
		}
	case xproto.DestroyNotifyEvent:
		return Gone, true
	}
	return 0, false
}

// closed is what closing the window means: the careful button of a question, and nothing for a notice, which is only put away.
func (w *window) closed() (int, bool) {
	if w.task.Notice {
		_ = xproto.UnmapWindowChecked(w.conn, w.id).Check()
		return 0, false
	}
	return len(w.buttons) - 1, true
}

func (w *window) key(k xproto.Keysym, now time.Time) (answer int, ok bool) {
	switch k {
	case keyEscape:
		return w.closed()
	case keyReturn, keySpace:
		return w.focus, true
	case keyTab, keyLeft, keyRight:
		w.focus = (w.focus + 1) % len(w.buttons)
		w.paint(now)
	}
	return 0, false
}

// stripe is how many bytes of a picture go in one request; a request has 256 KiB at most.
const stripe = 128 << 10

// paint sends the picture.
func (w *window) paint(now time.Time) {
	text := ""
	if w.task.Seconds > 0 {
		left := time.Duration(w.task.Seconds)*time.Second - now.Sub(w.appeared)
		text = fmt.Sprintf("%d seconds left", max(0, int((left+time.Second-1)/time.Second)))
	}
	img := w.draw(w.focus, text)
	for i := 0; i+3 < len(img.Pix); i += 4 { // X11 wants blue first
		img.Pix[i], img.Pix[i+2] = img.Pix[i+2], img.Pix[i]
	}
	rows := stripe / img.Stride
	for y := 0; y < w.size.Y; y += rows {
		n := min(rows, w.size.Y-y)
		xproto.PutImage(w.conn, xproto.ImageFormatZPixmap, xproto.Drawable(w.id), w.gc, uint16(w.size.X), uint16(n), 0, int16(y), 0, w.depth, img.Pix[y*img.Stride:(y+n)*img.Stride])
	}
}
