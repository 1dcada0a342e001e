// Package channel says what flows between the parties of a remote session once they reach each other: channels of messages, and the protocol of each kind of channel.
package channel

import "context"

// Conn is one channel: messages in both directions, in order and without loss until it ends. Over WebRTC it is a data channel, else two WebSockets joined by the relay.
// Receive may be called by one goroutine at a time, the others concurrently.
type Conn interface {
	// Receive waits for a message; its data is valid until the next call. io.EOF: the other side has closed; any other error: the way is lost.
	Receive(ctx context.Context) (Message, error)
	// Send returns once there is room for the message, so that who sends faster than the other side reads waits. data may be used again when it returns.
	Send(ctx context.Context, m Message) error
	// Close ends both directions after what was sent.
	Close() error
}

// Message is text (JSON) or bytes, of at most MaxMessage bytes.
type Message struct {
	Text bool
	Data []byte
}

// MaxMessage is the largest message; over a data channel it goes in one piece, which all browsers take.
const MaxMessage = 64 << 10

// Names of channels; each is a kind of session, but System, which every session may open.
const (
	Terminal  = "terminal"
	Files     = "files" // always over the relay
	Processes = "processes"
	System    = "system"
	Desktop   = "desktop"
)

// Permissions within a kind. A session that is opened without permissions has all of its kinds.
const (
	MayType       = "terminal.type"  // else a terminal is only watched
	MayReadFiles  = "files.read"     // list, stat, download
	MayWriteFiles = "files.write"    // upload, rename, delete, new folder
	MaySee        = "processes.read" // list
	MayKill       = "processes.kill" // end a process
	MayWatch      = "desktop.view"
	MayControl    = "desktop.control"
)

// Error is a refusal of the endpoint on a channel: a text message {"error":{...}}, with the request's id where there is one.
type Error struct {
	Code   string `json:"code"`   // "not_supported", "not_permitted", "not_found", "exists", "changed", "too_large", "invalid", "failed"
	Detail string `json:"detail"` // a sentence
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }
