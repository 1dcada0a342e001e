package agent

import "signalbox/internal/agent/journal"

// Push is one command or notice for this endpoint.
type Push = journal.Push

// Result is the outcome of a push.
type Result = journal.Result

// Bounds of what a push may bring and of what an answer may carry.
const (
	maxPayloadBytes = 64 << 10 // of the JSON text or of the decoded data
	maxResultBytes  = 64 << 10 // of the result's JSON after escaping for XML
	maxNameBytes    = 128      // of an id or a type
)

// validID reports whether an id can stand in an environment variable, a journal line and a log.
func validID(s string) bool {
	if s == "" || len(s) > maxNameBytes {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// validType reports whether s is a dotted name: letters, digits, '_' and '-' between single dots.
func validType(s string) bool {
	if s == "" || len(s) > maxNameBytes {
		return false
	}
	dot := true // a dot may not follow
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.':
			if dot {
				return false
			}
			dot = true
		case c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			dot = false
		default:
			return false
		}
	}
	return !dot
}
