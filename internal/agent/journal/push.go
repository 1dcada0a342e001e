package journal

import (
	"encoding/json"
	"time"
)

// Push is one command or notice for this endpoint as the journal keeps it.
type Push struct {
	ID      string    // the server's name for it: printable ASCII, at most 128 bytes
	Type    string    // dotted name
	Expires time.Time // zero: never
	Payload []byte    // JSON text without needless white space, or raw bytes if Binary; nil: none
	Binary  bool
}

// Result is the outcome of a push.
type Result struct {
	OK   bool            // handled; false: failed
	JSON json.RawMessage // what the handler said, or why it failed; nil: nothing
}
