// Package load is a program that plays the technician of the bench of remote sessions: it takes orders on standard input and reports on standard output.
package main

import "time"

// Orders.
const (
	doTerminal = "terminal" // from the wish for a session to the first byte of its terminal
	doUpload   = "upload"
	doDownload = "download"
	doStall    = "stall" // begins downloads that nobody reads, until the next order
)

// order is one.
type order struct {
	Do        string
	Transport string
	Path      string // of the file at the endpoint
	MiB       int64
	Channels  int // of doStall
}

// report is what came of it.
type report struct {
	Took time.Duration
	Rung string // on which it went
	Why  string // it failed; empty: it did not
}
