package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// output is the flag -o: how a command prints data.
type output struct{ format string }

const (
	formatText = "text"
	formatJSON = "json"
)

// flag adds -o to a command and checks it before the command runs.
func (o *output) flag(c *cobra.Command) {
	formats := []string{formatText, formatJSON}
	c.Flags().StringVarP(&o.format, "output", "o", formatText, strings.Join(formats, " or "))
	c.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(formats, o.format) {
			return fmt.Errorf("-o %q: must be %s", o.format, strings.Join(formats, " or "))
		}
		return nil
	}
}

// print writes data as JSON, or as the function writes it for people.
func (o *output) print(w io.Writer, data any, text func(io.Writer) error) error {
	if o.format == formatText {
		return text(printable{w})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(data)
}

// printable keeps what an endpoint sent, such as a result, from steering the terminal. The texts that are written to it end with whole characters.
type printable struct{ w io.Writer }

// Write replaces control characters other than line breaks and tabs.
func (p printable) Write(b []byte) (int, error) {
	clean := bytes.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return '?'
		}
		return r
	}, b)
	if _, err := p.w.Write(clean); err != nil {
		return 0, err
	}
	return len(b), nil
}
