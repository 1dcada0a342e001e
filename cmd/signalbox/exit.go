package main

import "errors"

// Exit codes of all commands.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 78
)

// exitError is an error of a command that was used rightly.
type exitError struct {
	code int
	err  error
}

// Error returns the cause.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// failed marks an error of a command that was used rightly and could not do its work. A mark that is there already stays; nil stays nil.
func failed(err error) error { return marked(exitFailed, err) }

func marked(code int, err error) error {
	var e *exitError
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &exitError{code, err}
}

// exitAs returns an error with another text that ends with the same status.
func exitAs(err error, text string) error {
	var e *exitError
	if errors.As(err, &e) {
		return &exitError{e.code, errors.New(text)}
	}
	return errors.New(text)
}

// exitCode returns the status to end with. What no command marked is about the command line.
func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	}
	return exitUsage
}
