// Package dialog shows the user of a desktop a question or a notice, in a window of its own, and says what the user did. It runs in the user's session, as a program of its own
// that ends with its answer.
package dialog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"signalbox/internal/signalling"
)

// Task is what is shown.
type Task struct {
	Title   string   `json:"title"`
	Lines   []string `json:"lines"`   // each is wrapped where it is too long
	Buttons []string `json:"buttons"` // one or two; the last is the careful one: what Escape presses, and what has the focus
	Seconds int      `json:"seconds"` // after which the window closes itself; 0: never
	Notice  bool     `json:"notice"`  // stands at the edge of the screen and waits for nobody
}

// Bounds of a Task.
const (
	MaxLines   = 16
	MaxText    = 1024 // bytes of a line, the title or a button
	MaxSeconds = int(signalling.MaxConsent / time.Second)
)

// Answers that are not the index of a button.
const (
	Nothing = -1 // the time was over
	Gone    = -2 // the window was closed from outside, or whoever asked does not want to know any more
)

// ErrTask says that a Task is out of bounds.
var ErrTask = errors.New("not a task for a dialog")

// Validate returns nil or ErrTask.
func (t Task) Validate() error {
	if len(t.Lines) > MaxLines || len(t.Buttons) < 1 || len(t.Buttons) > 2 || t.Seconds < 0 || t.Seconds > MaxSeconds {
		return ErrTask
	}
	for _, text := range append(append([]string{t.Title}, t.Lines...), t.Buttons...) {
		if len(text) > MaxText {
			return ErrTask
		}
	}
	return nil
}

// Plain returns a text as it may be shown: one line without what would change how others look.
func Plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text)
	if len(text) <= MaxText {
		return text
	}
	return strings.ToValidUTF8(text[:MaxText-3], "") + "..."
}

// Main is the program: it reads a Task from in as one line of JSON, shows it, and writes the answer as a line with a number. It ends early when in ends.
func Main(in io.Reader, out io.Writer) error {
	r := bufio.NewReaderSize(in, 64<<10)
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	var t Task
	if err := json.Unmarshal(line, &t); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	if err := t.Validate(); err != nil {
		return err
	}
	stop := make(chan struct{})
	go func() { // ends with the process: nothing else reads in
		_, _ = io.Copy(io.Discard, r)
		close(stop)
	}()
	answer, err := Show(t, time.Now, stop)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, answer)
	return err
}
