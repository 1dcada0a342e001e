package channel

import "fmt"

// Codes of an Error.
const (
	CodeNotSupported = "not_supported" // this system cannot do it
	CodeNotPermitted = "not_permitted" // the session, or the user that the agent runs as, may not
	CodeNotFound     = "not_found"
	CodeExists       = "exists"
	CodeChanged      = "changed"   // what was meant is not there any more: another file, another process, another one who watches
	CodeTooLarge     = "too_large" // there is no room for it, or there are too many
	CodeInvalid      = "invalid"   // nothing that could be done, or not of this protocol
	CodeFailed       = "failed"    // the system refused; Detail has its words
	CodeCancelled    = "cancelled" // the other side has given up a transfer
)

// Refuse makes an Error.
func Refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// NotSupported is the answer of a system that lacks something.
func NotSupported() *Error { return Refuse(CodeNotSupported, "not supported on this system") }
