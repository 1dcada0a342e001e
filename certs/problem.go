package certs

import (
	"errors"
	"strings"
)

// Severity says what a problem does to the server.
type Severity string

const (
	// Fatal in the required bundle stops the start; any other bundle with one is skipped.
	Fatal Severity = "fatal"
	// NotServing keeps the endpoints' ports closed until the file or the clock changes.
	NotServing Severity = "not_serving"
	// Warning stops nothing.
	Warning Severity = "warning"
)

// Error is one mistake in one file. It is immutable and may be shared.
type Error struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Path     string   `json:"path,omitempty"`
	Detail   string   `json:"detail"`
	Fix      string   `json:"fix"`
}

// Error returns "path: what is wrong; what to do (code)".
func (e *Error) Error() string {
	s := e.Detail + "; " + e.Fix + " (" + string(e.Code) + ")"
	if e.Path != "" {
		return e.Path + ": " + s
	}
	return s
}

// Is makes errors.Is(err, &Error{Code: c}) ask for a code, whatever the path and the sentences.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Path == "" && t.Detail == ""
}

func newError(path string, code Code, detail string) *Error {
	return &Error{Code: code, Severity: code.severity(), Path: path, Detail: detail, Fix: code.Fix()}
}

// Errors are all the mistakes of one file, the one to mend first at the front.
type Errors []*Error

// Error returns one line per mistake.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the first *Error and errors.Is any of them.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// Codes returns the codes in order.
func (es Errors) Codes() []Code {
	codes := make([]Code, len(es))
	for i, e := range es {
		codes[i] = e.Code
	}
	return codes
}

func (es Errors) orNil() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// problemsOf returns the mistakes that err consists of.
func problemsOf(err error) Errors {
	var es Errors
	if errors.As(err, &es) {
		return es
	}
	var e *Error
	if errors.As(err, &e) {
		return Errors{e}
	}
	return nil
}
