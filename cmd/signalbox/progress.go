package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"signalbox/internal/client"
)

// bar shows how far long work is, such as a push to many endpoints: one line that is written over again on a terminal, else a line for every tenth.
type bar struct {
	w        io.Writer
	terminal bool
	last     int // tenths that were shown; -1: none
	drawn    int // characters of the line on the terminal
}

const barWidth = 30

func newBar(w io.Writer) *bar {
	b := &bar{w: w, last: -1}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// show is told of a push that is waited for.
func (b *bar) show(p client.Push) {
	if p.Targets == 0 {
		return
	}
	over := 0
	for state, n := range p.Counts {
		if isEnd(state, p.Ack) {
			over += n
		}
	}
	b.draw(min(over, p.Targets), p.Targets, fmt.Sprintf("%d of %d over: %s", min(over, p.Targets), p.Targets, countsText(p.Counts)))
}

// draw shows that so many of all are done.
func (b *bar) draw(done, all int, text string) {
	if all <= 0 {
		return
	}
	done = max(0, min(done, all))
	if b.terminal {
		full := barWidth * done / all
		text = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] " + text
		fmt.Fprintf(b.w, "\r%-*s", b.drawn, text)
		b.drawn = len(text)
		return
	}
	if tenths := 10 * done / all; tenths != b.last {
		b.last = tenths
		fmt.Fprintln(b.w, text)
	}
}

// end leaves the terminal's line.
func (b *bar) end() {
	if b.drawn > 0 {
		fmt.Fprintln(b.w)
	}
}
