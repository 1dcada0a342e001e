package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// output is the flag -o: how a command prints data.
type output struct{ format string }

// flag adds -o to a command and checks it before the command runs.
func (o *output) flag(c *cobra.Command) {
	c.Flags().StringVarP(&o.format, "output", "o", "text", "text or json")
	c.PreRunE = func(*cobra.Command, []string) error {
		if o.format != "text" && o.format != "json" {
			return fmt.Errorf("output %q is neither text nor json", o.format)
		}
		return nil
	}
}

// print writes data as JSON, or as the function writes it for people.
func (o *output) print(w io.Writer, data any, text func(io.Writer) error) error {
	if o.format == "text" {
		return text(w)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(data)
}

// oneLine keeps texts of several lines in theirs.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\t' }), "; ")
}
