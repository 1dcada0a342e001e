package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// An exported trail is text in lines, each a JSON object: first the signed heads, then the entries, each sort by their numbers. The heads stand first, so that a file whose end is
// missing is known as one.
type line struct {
	Kind      string          `json:"kind"` // kindHead or kindEntry
	Seq       int64           `json:"seq"`
	At        time.Time       `json:"at"`
	Domain    string          `json:"domain,omitempty"`
	Actor     string          `json:"actor,omitempty"`
	Action    string          `json:"action,omitempty"`
	Subject   string          `json:"subject,omitempty"`
	Detail    json.RawMessage `json:"detail,omitempty"`
	Prev      *Hash           `json:"prev,omitempty"`
	Hash      *Hash           `json:"hash"`
	Key       string          `json:"key,omitempty"`
	Signature []byte          `json:"signature,omitempty"`
}

const (
	kindHead  = "head"
	kindEntry = "entry"
	// maxLine has room for the longest entry, each byte of its texts escaped.
	maxLine = MaxDetail + 6*4*MaxText + 1024
)

// Writer writes an exported trail. Its methods return the errors of what is below.
type Writer struct{ enc *json.Encoder }

// NewWriter returns a writer of lines to w.
func NewWriter(w io.Writer) *Writer {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // else the detail would not be what was hashed
	return &Writer{enc}
}

// Head writes a signed head: all of them before the first entry.
func (w *Writer) Head(h Head) error {
	return w.enc.Encode(line{Kind: kindHead, Seq: h.Seq, At: h.At, Hash: &h.Hash, Key: h.Key, Signature: h.Signature})
}

// Entry writes an entry.
func (w *Writer) Entry(e Entry) error {
	return w.enc.Encode(line{
		Kind: kindEntry, Seq: e.Seq, At: e.At, Domain: e.Domain, Actor: e.Actor, Action: e.Action, Subject: e.Subject, Detail: e.Detail, Prev: &e.Prev, Hash: &e.Hash,
	})
}

// ErrFile says that what was read is no exported trail. Errors of CheckFile wrap it, with the line.
var ErrFile = errors.New("not an exported audit trail")

// CheckFile checks an exported trail. An error says that it could not be read to its end or to what is bad in it. A file without a signed head is none.
func CheckFile(r io.Reader, trusted ...PublicKey) (Report, error) {
	var heads []Head
	var c *Checker
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for n := 1; lines.Scan(); n++ {
		l, err := parse(lines.Bytes())
		switch {
		case err != nil:
			return Report{}, fmt.Errorf("%w: line %d %w", ErrFile, n, err)
		case l.Kind == kindHead && c != nil:
			return Report{}, fmt.Errorf("%w: line %d is a head behind an entry", ErrFile, n)
		case l.Kind == kindHead:
			heads = append(heads, l.head())
			continue
		case len(heads) == 0:
			return Report{}, fmt.Errorf("%w: it has no signed head, so that nobody vouches for it", ErrFile)
		case c == nil:
			c = NewChecker(heads, trusted...)
		}
		if !c.Add(l.entry()) {
			return c.Report(), nil
		}
	}
	if err := lines.Err(); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if c == nil {
		c = NewChecker(heads, trusted...)
	}
	return c.Report(), nil
}

// parse reads a line strictly. The error goes on a sentence.
func parse(text []byte) (l line, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return l, fmt.Errorf("is not as it should be: %w", err)
	}
	switch {
	case dec.InputOffset() != int64(len(text)):
		return l, errors.New("has something behind its object")
	case l.Hash == nil:
		return l, errors.New("has no hash")
	case l.Kind == kindHead && l.Seq > 0 && l.Prev == nil && l.Detail == nil && l.Domain+l.Actor+l.Action+l.Subject == "":
	case l.Kind == kindEntry && l.Prev != nil && l.Key == "" && l.Signature == nil:
	default:
		return l, errors.New("is neither a head nor an entry")
	}
	return l, nil
}

func (l *line) head() Head {
	return Head{Link: Link{l.Seq, *l.Hash}, At: l.At.UTC(), Key: l.Key, Signature: l.Signature}
}

func (l *line) entry() Entry {
	return Entry{
		Seq: l.Seq, At: l.At.UTC(), Domain: l.Domain, Actor: l.Actor, Action: l.Action, Subject: l.Subject, Detail: l.Detail, Prev: *l.Prev, Hash: *l.Hash,
	}
}
