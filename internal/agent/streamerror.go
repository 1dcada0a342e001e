package agent

import (
	"strconv"
	"time"

	"signalbox/xmpp/scan"
)

// streamError is why the server ended the stream (RFC 6120 section 4.9).
type streamError struct {
	condition string
	text      string
	host      string        // of see-other-host
	retry     time.Duration // when the server wants the agent back; negative: it did not say
}

// Error returns the condition and the server's words for people.
func (e *streamError) Error() string {
	if e.text == "" {
		return "stream error " + e.condition
	}
	return "stream error " + e.condition + ": " + strconv.Quote(e.text)
}

// Bounds of what a server may write into an error.
const (
	maxErrorText = 256
	maxRetry     = time.Hour
)

// parseStreamError reads a stream error, and in it the hint <retry xmlns='urn:signalbox:stream:1' after='SECONDS'/>.
func parseStreamError(st *scan.Stanza) *streamError {
	e := &streamError{condition: "undefined-condition", retry: -1}
	for child := range st.Element().Children() {
		switch {
		case child.Is(nsStreamErrors, "text"):
			e.text = child.Text()
			e.text = e.text[:min(len(e.text), maxErrorText)]
		case string(child.Namespace()) == nsStreamErrors:
			e.condition = string(child.Local())
			if e.condition == conditionSeeOther {
				e.host = child.Text()
			}
		case child.Is(nsHint, "retry"):
			after, _ := child.Attr("after")
			if n, err := strconv.ParseUint(string(after), 10, 32); err == nil {
				e.retry = min(time.Duration(n)*time.Second, maxRetry)
			}
		}
	}
	return e
}
