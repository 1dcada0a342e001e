package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Bounds of one message, which is a line of JSON. The other end is one of ours; a line beyond them is a fault of it, and ends the connection.
const (
	maxLine   = 8 << 20 // bytes, the newline included
	maxDepth  = 8       // of objects and lists
	maxValues = 200_000 // commas: members and elements beside the first ones
)

// protocolVersion changes when an end of the last version would misunderstand one of this.
const protocolVersion = 1

// What a message asks for. A message without one is an answer.
const (
	doSettings = "settings"
	doHello    = "hello"
	doSecrets  = "secrets"
	doOpen     = "open"
	doEnd      = "end"
	doSync     = "sync"
	doCounters = "counters"
	doMetrics  = "metrics"
	doPing     = "ping"
)

// message is one request to the TURN process or its answer, which repeats the number. Which members it has depends on what it asks for.
type message struct {
	Number   uint64    `json:"n,omitempty"`
	Do       string    `json:"do,omitempty"`
	Settings *Settings `json:"settings,omitempty"`
	Hello    *hello    `json:"hello,omitempty"`
	Secrets  *Secrets  `json:"secrets,omitempty"`
	Session  *Session  `json:"session,omitempty"`
	ID       string    `json:"id,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Owner    string    `json:"owner,omitempty"`
	IDs      []string  `json:"ids,omitempty"`
	Found    bool      `json:"found,omitempty"` // answer: there is such a session
	Counters *Counters `json:"counters,omitempty"`
	Metrics  []byte    `json:"metrics,omitempty"`
	Error    string    `json:"error,omitempty"` // answer: why it was not done
}

// hello is how the two ends introduce themselves.
type hello struct {
	Version  int              `json:"version"`
	Owner    string           `json:"owner,omitempty"`    // of the server: whose sessions these are
	Own      []netip.AddrPort `json:"own,omitempty"`      // of the server: its listeners, which no peer may be; one of an earlier version says nothing
	Instance string           `json:"instance,omitempty"` // of the TURN process: another one has counted nothing yet
	Listen   []Socket         `json:"listen,omitempty"`   // of the TURN process: where clients reach it
}

// errMessage marks lines that no message is.
var errMessage = errors.New("no message of the control protocol")

// readMessage reads one line. The buffer grows with what came. The error is io.EOF at the end of the connection between two lines.
func readMessage(r *bufio.Reader) (m message, err error) {
	line, err := readLine(r)
	if err != nil {
		return message{}, err
	}
	if err := checkShape(line); err != nil {
		return message{}, err
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, fmt.Errorf("%w: %w", errMessage, err)
	}
	return m, nil
}

func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("%w: longer than %d bytes", errMessage, maxLine)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// checkShape bounds depth and number of values before anything is made of them. Whether the line is JSON at all is seen later.
func checkShape(line []byte) error {
	depth, values, inText := 0, 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
		if depth > maxDepth || values > maxValues {
			return fmt.Errorf("%w: deeper than %d or more than %d values", errMessage, maxDepth, maxValues)
		}
	}
	return nil
}

// appendMessage appends the message's line.
func appendMessage(b []byte, m message) ([]byte, error) {
	text, err := json.Marshal(m)
	if err == nil && len(text) >= maxLine {
		err = fmt.Errorf("%w: longer than %d bytes", errMessage, maxLine)
	}
	if err != nil {
		return b, fmt.Errorf("write %s: %w", m.Do, err)
	}
	return append(append(b, text...), '\n'), nil
}
