package agent

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"signalbox/xmpp/scan"
)

// Reasons of a failed push that the agent itself gives; they stand in the result's JSON as "reason".
const (
	ReasonInterrupted     = "interrupted"         // the agent ended while the handler ran; whether it took effect is not known
	ReasonNoHandler       = "no_handler"          // nothing is configured for this type
	ReasonExpired         = "expired_at_endpoint" // the push was over before its handler could start
	ReasonTimeout         = "timeout"             // the handler ran too long and was killed
	ReasonExitStatus      = "exit_status"         // the handler ended with another status than 0
	ReasonCannotStart     = "cannot_start"        // the handler's program could not be started
	ReasonBadPayload      = "bad_payload"         // the payload is neither JSON nor base64
	ReasonPayloadTooLarge = "payload_too_large"   // the payload exceeds 64 KiB
)

// failure is the JSON of a failed result.
type failure struct {
	Reason   string `json:"reason"`
	ExitCode *int   `json:"exit_code,omitempty"`
	Stderr   string `json:"stderr,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// output is the JSON of a handler's answer that is not JSON itself.
type output struct {
	Output    string `json:"output"`
	Truncated bool   `json:"truncated,omitempty"`
}

func failed(f failure) Result { return Result{JSON: encodeJSON(f)} }

// answered makes the result of a handler that ended well from what it printed.
func answered(stdout []byte, truncated bool) Result {
	text := bytes.TrimSpace(stdout)
	if len(text) == 0 && !truncated {
		return Result{OK: true}
	}
	if !truncated && json.Valid(text) {
		if j := normalJSON(text); travels(j) {
			return Result{OK: true, JSON: j}
		}
	}
	return Result{OK: true, JSON: fitOutput(string(stdout), truncated)}
}

// fitOutput wraps text and cuts its end until the whole can travel.
func fitOutput(text string, truncated bool) json.RawMessage {
	for {
		j := encodeJSON(output{Output: text, Truncated: truncated})
		if travels(j) {
			return j
		}
		text, truncated = text[:len(text)-len(text)/4-1], true
	}
}

// travels reports whether j is within the bound of a result on the wire.
func travels(j []byte) bool {
	return len(j) <= maxResultBytes && len(scan.AppendText(nil, j)) <= maxResultBytes
}

// encodeJSON encodes v, which cannot fail for the types of this package, such that every character is legal in XML.
func encodeJSON(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil
	}
	return normalJSON(b.Bytes())
}

// normalJSON returns valid JSON without needless white space, in valid UTF-8, without the characters that XML forbids. In valid JSON they
// can stand only inside of strings, so an escape means the same.
func normalJSON(text []byte) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil
	}
	s := strings.ToValidUTF8(b.String(), string(utf8.RuneError))
	return json.RawMessage(forbiddenInXML.Replace(s))
}

// forbiddenInXML lacks the control characters: JSON strings hold them escaped only.
var forbiddenInXML = strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`)
