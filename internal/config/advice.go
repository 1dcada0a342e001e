package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// readMistake says why a file could not be read, and what to do.
func readMistake(err error) string {
	cause := err
	var pe *fs.PathError
	if errors.As(err, &pe) {
		cause = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%v; 'signalbox config default' prints one to begin with", cause)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%v; let the user that runs signalbox read it and enter its directory", cause)
	}
	return fmt.Sprintf("%v; it must be a file of text", cause)
}

// yamlMistake turns what the parser says into a sentence with what to do.
func yamlMistake(line string) string {
	where, what, ok := strings.Cut(line, ": ")
	switch {
	case strings.Contains(line, "already defined"):
		return line + "; leave one of the two away"
	case ok && strings.HasPrefix(what, "cannot unmarshal"):
		return where + ": the file is no table of keys; write one key on each line, as in domain: xmpp.example.com"
	case strings.Contains(line, "cannot start any token"):
		return line + "; indent with spaces, not with tabs, and put values that begin with @, ` or % in quotes"
	case strings.Contains(line, "not allowed in this context"):
		return line + "; indent keys of one table alike, and put values that contain a colon in quotes"
	}
	return line + "; look for a bracket or a quote that is not closed, there or above"
}

// dotEnvMistake says where a file of variables is wrong. It shows nothing of the file, which may hold secrets.
func dotEnvMistake(text string) string {
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && !strings.ContainsAny(line, "=:") {
			return fmt.Sprintf("line %d has no =; each line is NAME=value, or begins with #", n+1)
		}
	}
	return "is no file of variables; each line is NAME=value, with quotes closed on the same line, or begins with #"
}

// inBraces is a variable as shells and compose files fill them in.
var inBraces = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*[^}]*\}`)

// placeholder returns the first such variable in the text or list of a key; empty: there is none.
func placeholder(value any) string {
	switch v := value.(type) {
	case string:
		return inBraces.FindString(v)
	case []any:
		for _, item := range v {
			if found := placeholder(item); found != "" {
				return found
			}
		}
	}
	return ""
}
