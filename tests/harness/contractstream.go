package harness

import (
	"bytes"
	"io"
	"net/http"
)

// The media types of answers that come piece by piece. The description says under x-data what the data of an event is, and under x-lines what the first line is and
// what all others are.
const (
	eventStream = "text/event-stream"
	jsonLines   = "application/x-ndjson"
)

// watched is an answer on its way to its client, whose pieces are held against the description. A piece that was cut off is not looked at.
type watched struct {
	io.ReadCloser
	contract *contract
	req      *http.Request
	status   int
	media    string
	line     []byte // that is not complete yet
	lines    int
}

func (c *contract) watch(req *http.Request, status int, media string, body io.ReadCloser) io.ReadCloser {
	return &watched{ReadCloser: body, contract: c, req: req, status: status, media: media}
}

// Read reads on and looks at every line that is complete.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		head, tail, whole := bytes.Cut(rest, []byte("\n"))
		w.line, rest = append(w.line, head...), tail
		if whole {
			w.piece(w.line)
			w.line = w.line[:0]
		}
	}
	return n, err
}

// piece holds one line against the description.
func (w *watched) piece(line []byte) {
	where := []string{"x-data"}
	switch w.lines++; {
	case w.media == eventStream:
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			return
		}
		line = data
	case w.lines == 1:
		where = []string{"x-lines", "first"}
	default:
		where = []string{"x-lines", "others"}
	}
	w.contract.piece(w.req, w.status, w.media, where, line)
}

// piece reports what is wrong with a part of an answer.
func (c *contract) piece(req *http.Request, status int, media string, where []string, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	paths, _ := c.document["paths"].(map[string]any)
	path, _ := template(paths, req.URL.Path)
	if err := c.validateLocked(append(placeOf(req.Method, path, status, media), where...), text); err != nil {
		c.report("%s %s has a part that the API's description does not allow: %v\n%.2000s", req.Method, req.URL.Path, err, text)
	}
}
