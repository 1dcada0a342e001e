package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands calls do for every command of ours.
func commands(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		commands(sub, do)
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	n := 0
	commands(newCommand(&bytes.Buffer{}, &bytes.Buffer{}), func(c *cobra.Command) {
		n++
		path := strings.Fields(c.CommandPath())
		out := must(t, nil, "signalbox", append(path[1:], "--help")...)
		if !strings.Contains(out, "Examples:\n  "+path[0]) || !strings.Contains(out, "Usage:") {
			t.Errorf("%s --help has no example:\n%s", c.CommandPath(), out)
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help is %q, must be a line without full stop", c.CommandPath(), c.Short)
		}
	})
	if n < 20 {
		t.Errorf("%d commands, there are more", n)
	}
}

// TestExamplesAreCommands parses what stands in the help.
func TestExamplesAreCommands(t *testing.T) {
	root := newCommand(&bytes.Buffer{}, &bytes.Buffer{})
	commands(root, func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
			words := strings.Fields(strings.ReplaceAll(line, "'", ""))
			found, rest, err := root.Find(words[1:])
			if err != nil || found == root {
				t.Errorf("%s: the example %q is no command: %v", c.CommandPath(), line, err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: the example %q: %v", c.CommandPath(), line, err)
			} else if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: the example %q: %v", c.CommandPath(), line, err)
			}
		}
	})
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 mistakes", 1: "1 mistake", 2: "2 mistakes"} {
		if got := plural(n, "mistake"); got != want {
			t.Errorf("plural(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTextDoesNotSteerTheTerminal(t *testing.T) {
	var out bytes.Buffer
	o := output{format: formatText}
	err := o.print(&out, nil, func(w io.Writer) error {
		_, err := io.WriteString(w, "a\tb\x1b[2J\u009b1mZürich\r\x7f\n")
		return err
	})
	if want := "a\tb?[2J?1mZürich??\n"; err != nil || out.String() != want {
		t.Errorf("print() wrote %q, %v, want %q", out.String(), err, want)
	}
}
