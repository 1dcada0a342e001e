package main

import (
	"fmt"
	"io"
	"strings"

	"signalbox/internal/doctor"
)

// writeChecks writes a line for each check, and below it what to do.
func writeChecks(w io.Writer, checks []doctor.Check) error {
	for _, c := range checks {
		if _, err := fmt.Fprintf(w, "%-6s  %-7s  %s: %s%s\n", c.Step, state(c), c.Check, oneLine(c.Detail), codeOf(c)); err != nil {
			return err
		}
		if c.Action == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%19s%s: %s\n", "", actionWord(c), oneLine(c.Action)); err != nil {
			return err
		}
	}
	return nil
}

// codeOf shows the code, if there is one that the line does not name yet.
func codeOf(c doctor.Check) string {
	if c.Code == "" || strings.HasSuffix(c.Detail, "("+string(c.Code)+")") {
		return ""
	}
	return " [" + string(c.Code) + "]"
}

func state(c doctor.Check) string {
	switch {
	case !c.OK:
		return "wrong"
	case c.Warning:
		return "warning"
	}
	return "ok"
}

func actionWord(c doctor.Check) string {
	if c.OK && !c.Warning {
		return "hint"
	}
	return "to do"
}

// oneLine keeps errors of several lines in theirs.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' }), "; ")
}
