package dialog

import (
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë Müller": "Zoë Müller", "a\nb\tc": "a b c", "a\x1b[31m\u202e\u0007b": "a[31mb", strings.Repeat("é", 600): strings.Repeat("é", 510) + "...",
	} {
		if got := Plain(in); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	good := Task{Title: "t", Lines: []string{"a"}, Buttons: []string{"Allow", "Deny"}, Seconds: 30}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Task){
		"no button":     func(t *Task) { t.Buttons = nil },
		"three buttons": func(t *Task) { t.Buttons = make([]string, 3) },
		"many lines":    func(t *Task) { t.Lines = make([]string, MaxLines+1) },
		"long text":     func(t *Task) { t.Lines = []string{strings.Repeat("x", MaxText+1)} },
		"long wait":     func(t *Task) { t.Seconds = MaxSeconds + 1 },
		"no time":       func(t *Task) { t.Seconds = -1 },
	} {
		bad := good
		if change(&bad); !errors.Is(bad.Validate(), ErrTask) {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestWrap: nothing is wider than the window, and nothing is lost.
func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 100) + strings.Repeat("x", 300)
	l, err := newLayout(Task{Lines: []string{long, ""}, Buttons: []string{"Allow", "Deny"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range l.lines {
		if !l.fits(line) {
			t.Errorf("%q is too wide", line)
		}
	}
	if got := strings.ReplaceAll(strings.Join(l.lines, ""), " ", ""); got != strings.ReplaceAll(long, " ", "") {
		t.Errorf("%q became %q", long, got)
	}
}

var ask = Task{
	Title: "May somebody connect to this computer?", Buttons: []string{"Allow", "Deny"}, Seconds: 60,
	Lines: []string{"Zoë Müller wants to connect to this computer.", "What for: command line, files", "Without an answer the connection is refused."},
}

// TestPicture keeps the picture of a question where the run keeps what people look at.
func TestPicture(t *testing.T) {
	l, err := newLayout(ask)
	if err != nil {
		t.Fatal(err)
	}
	img := l.draw(1, "42 seconds left")
	colours := map[uint32]int{}
	for x := range img.Bounds().Dx() {
		for y := range img.Bounds().Dy() {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[r>>8<<16|g>>8<<8|b>>8]++
		}
	}
	if colours[0xFFFFFF] < 10_000 || colours[0x0A58CA] < 3_000 || colours[0x1B1F24] < 100 {
		t.Errorf("paper, button and ink have %d, %d and %d pixels", colours[0xFFFFFF], colours[0x0A58CA], colours[0x1B1F24])
	}
	dir := os.Getenv("ARTIFACTS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, "consent.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
		t.Error(err)
	}
}
