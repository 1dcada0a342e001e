package signalling

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Code names why a message was refused; it is the same in both spellings and never changes its meaning.
type Code string

// What is wrong with a message itself.
const (
	Malformed       Code = "malformed"        // no JSON object, or no element of Namespace, or text where none belongs
	TooLarge        Code = "too_large"        // beyond MaxMessage
	UnknownType     Code = "unknown_type"     // no message has this name
	UnknownMember   Code = "unknown_member"   // the message has no such member, attribute or element
	DuplicateMember Code = "duplicate_member" // it stands there twice
	MissingMember   Code = "missing_member"   // it must be there
	WrongType       Code = "wrong_type"       // a number instead of a text, and the like
	WrongValue      Code = "wrong_value"      // none of those that it may have, or beyond its bounds
	NotAllowed      Code = "not_allowed"      // this party may not say it
)

// What is wrong with a message that is well made, as whoever takes it says.
const (
	UnknownSession Code = "unknown_session" // there is none with this id, or it has ended
	NotParty       Code = "not_party"       // the session is one of others
	Unexpected     Code = "unexpected"      // the session is in no state for it
	TokenRefused   Code = "token_refused"   // of Attach: unknown, used or expired
	TryLater       Code = "try_later"       // the server cannot take it now: too much waits, or it starts or stops
)

// Refusals of messages that are well made, to be found by errors.Is, which compares codes.
var (
	ErrUnknownSession = &Error{Code: UnknownSession, Detail: "there is no such session"}
	ErrNotParty       = &Error{Code: NotParty, Detail: "the session is one of others"}
	ErrUnexpected     = &Error{Code: Unexpected, Detail: "the session is in no state for this message"}
	ErrTokenRefused   = &Error{Code: TokenRefused, Detail: "the token is unknown, used or expired"}
	ErrTryLater       = &Error{Code: TryLater, Detail: "the server cannot take it now"}
)

// Error says why a message was refused. It may be shown to who sent the message: of that it repeats names of members at most, never values.
type Error struct {
	Code   Code
	Member string // by its path, such as "ice_servers/0/urls"; empty: the message as a whole
	Detail string // half a sentence for people
}

// Error implements error.
func (e *Error) Error() string {
	if e.Member == "" {
		return string(e.Code) + ": " + e.Detail
	}
	return string(e.Code) + ": " + e.Member + ": " + e.Detail
}

// Is reports whether target is an Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// CodeOf returns the code of what was refused; Malformed for an error that is no *Error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Malformed
}

// clip returns at most n bytes of a text, whole characters of it, all of which XML can carry.
func clip(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, text)
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
