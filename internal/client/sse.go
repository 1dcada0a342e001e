package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// maxSSEEvent bounds one event of a stream, and one line of it: an event has a result of 64 KiB at most.
const maxSSEEvent = 1 << 20

var errLongEvent = errors.New("an event of the stream is too long")

// sseEvent is one event of a stream. Without data it is a sign of life.
type sseEvent struct{ id, data string }

// sseReader reads a stream of Server-Sent Events, WHATWG HTML section 9.2.6; retry and the name of the event are not needed.
type sseReader struct{ lines *bufio.Scanner }

func newSSEReader(r io.Reader) *sseReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxSSEEvent)
	s.Split(wholeLines)
	return &sseReader{lines: s}
}

// wholeLines splits at line feeds. What stands behind the last one is not complete, and is dropped.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, bytes.TrimSuffix(data[:i], []byte("\r")), nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

// next returns the next event or sign of life. An event whose end did not arrive is none: io.EOF.
func (s *sseReader) next() (e sseEvent, err error) {
	var data strings.Builder
	fields := 0
	for s.lines.Scan() {
		line := s.lines.Text()
		if line == "" && fields > 0 {
			e.data = strings.TrimSuffix(data.String(), "\n")
			return e, nil
		}
		if strings.HasPrefix(line, ":") || line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			if !strings.Contains(value, "\x00") {
				e.id, fields = value, fields+1
			}
		case "data":
			if data.Len()+len(value) > maxSSEEvent {
				return sseEvent{}, errLongEvent
			}
			data.WriteString(value + "\n")
			fields++
		}
	}
	switch err := s.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return sseEvent{}, errLongEvent
	case err != nil:
		return sseEvent{}, err
	}
	return sseEvent{}, io.EOF
}
