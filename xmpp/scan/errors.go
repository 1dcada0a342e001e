package scan

import "fmt"

// Condition is the RFC 6120 section 4.9.3 stream error that a refused input deserves.
type Condition uint8

// The conditions that a scanner reports. Wrong namespaces and prefixes of the stream header are no errors here: Header
// carries them as facts and the session answers invalid-namespace or bad-namespace-prefix.
const (
	// NotWellFormed: the bytes violate XML 1.0 or Namespaces in XML (section 4.9.3.13).
	NotWellFormed Condition = iota + 1
	// RestrictedXML: a comment, processing instruction, document type or custom entity (4.9.3.18, 11.1).
	RestrictedXML
	// PolicyViolation: one of the Limits was exceeded (4.9.3.14).
	PolicyViolation
	// UnsupportedEncoding: the XML declaration names another encoding than UTF-8 (4.9.3.22).
	UnsupportedEncoding
	// InvalidXML: well-formed, but no stream looks like this, such as a second stream header (4.9.3.11).
	InvalidXML
)

var conditionNames = [...]string{
	NotWellFormed:       "not-well-formed",
	RestrictedXML:       "restricted-xml",
	PolicyViolation:     "policy-violation",
	UnsupportedEncoding: "unsupported-encoding",
	InvalidXML:          "invalid-xml",
}

// String returns the element name of the condition in urn:ietf:params:xml:ns:xmpp-streams.
func (c Condition) String() string {
	if c == 0 || int(c) >= len(conditionNames) {
		return "undefined-condition"
	}
	return conditionNames[c]
}

// Error says why input was refused. It ends the stream: the scanner returns the same error from then on.
type Error struct {
	Condition Condition
	// Detail is a constant English phrase. It never holds bytes of the peer, so it may be logged and sent.
	Detail string
	// Offset is where the mistake lies, in bytes from the start of the current top-level element.
	Offset int
}

// Error implements the error interface.
func (e *Error) Error() string {
	return fmt.Sprintf("%s at byte %d: %s", e.Condition, e.Offset, e.Detail)
}

func notWellFormed(at int, detail string) *Error {
	return &Error{NotWellFormed, detail, at}
}

func restricted(at int, detail string) *Error {
	return &Error{RestrictedXML, detail, at}
}

func overLimit(at int, detail string) *Error {
	return &Error{PolicyViolation, detail, at}
}
