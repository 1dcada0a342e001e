package login

import (
	"strconv"
	"time"

	"signalbox/xmpp/scan"
)

// StreamError is why the server ended the stream (RFC 6120 section 4.9).
type StreamError struct {
	Condition string
	Text      string
	Host      string        // of see-other-host
	Retry     time.Duration // when the server wants the agent back, an hour at most; negative: it did not say
}

// Error returns the condition and the server's words for people.
func (e *StreamError) Error() string {
	if e.Text == "" {
		return "stream error " + e.Condition
	}
	return "stream error " + e.Condition + ": " + strconv.Quote(e.Text)
}

// Bounds of what a server may write into an error.
const (
	maxErrorText = 256
	maxRetry     = time.Hour
)

// ParseStreamError reads a stream error, and in it the hint <retry xmlns='urn:signalbox:stream:1' after='SECONDS'/>.
func ParseStreamError(st *scan.Stanza) *StreamError {
	e := &StreamError{Condition: "undefined-condition", Retry: -1}
	for child := range st.Element().Children() {
		switch {
		case child.Is(nsStreamErrors, "text"):
			e.Text = child.Text()
			e.Text = e.Text[:min(len(e.Text), maxErrorText)]
		case string(child.Namespace()) == nsStreamErrors:
			e.Condition = string(child.Local())
			if e.Condition == conditionSeeOther {
				e.Host = child.Text()
			}
		case child.Is(nsHint, "retry"):
			after, _ := child.Attr("after")
			if n, err := strconv.ParseUint(string(after), 10, 32); err == nil {
				e.Retry = min(time.Duration(n)*time.Second, maxRetry)
			}
		}
	}
	return e
}
