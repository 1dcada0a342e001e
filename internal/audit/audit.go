// Package audit is a trail of who did what to whom that cannot be changed unnoticed: each entry holds the hash of the one before it, and signed heads vouch for all up to them.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of an entry in bytes.
const (
	MaxText   = 256      // actor, action, subject and domain; what is longer is cut
	MaxDetail = 16 << 10 // what is longer is refused
)

// Entry is one act. Who makes one leaves Seq, Prev and Hash to Link.Next, and may leave At.
type Entry struct {
	Seq     int64           // 1, 2, ... without a gap
	At      time.Time       // UTC, in whole microseconds
	Domain  string          // that it is about; empty: the server as a whole
	Actor   string          // who did it: what sort, a colon, a name, such as "token:management", "technician:ann", "endpoint:pc-1", "local:root"; or "server"
	Action  string          // what: a thing, a dot, what happened to it, such as SessionEnded
	Subject string          // to what: an id such as "ses_..." or "tok_..."; empty: it says itself
	Detail  json.RawMessage // what else is known of it: a JSON object, compact
	Prev    Hash            // of the entry before; zero for the first of all
	Hash    Hash            // of everything above
}

// Hash is a SHA-256. Its text is 64 hexadecimal digits.
type Hash [sha256.Size]byte

// String returns the text.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler: 64 digits, in small letters alone, so that no hash has two spellings.
func (h *Hash) UnmarshalText(text []byte) error {
	var read Hash
	if n, err := hex.Decode(read[:], text[:min(len(text), 2*len(read))]); err != nil || n != len(read) || read.String() != string(text) {
		return errors.New("is no hash: 64 hexadecimal digits in small letters")
	}
	*h = read
	return nil
}

// Link is a place in the chain: the number and the hash of an entry. The zero value is the place before the first.
type Link struct {
	Seq  int64
	Hash Hash
}

// Link returns the entry's place.
func (e *Entry) Link() Link { return Link{e.Seq, e.Hash} }

// errEntry says that an entry cannot be; errors of Next wrap it.
var errEntry = errors.New("not an entry of the audit trail")

// action is how the name of an act looks.
var action = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)

// Next returns e as the entry behind l. An entry without a time is of now. Texts are cut to MaxText and made valid UTF-8, for what strangers say must be no reason to keep silent
// about them; an action of another form and a detail that is no JSON object, or a long one, are mistakes of the program and errors.
func (l Link) Next(e Entry, now time.Time) (Entry, error) {
	if !action.MatchString(e.Action) || len(e.Action) > MaxText {
		return Entry{}, fmt.Errorf("%w: its action %q is no name such as session.ended", errEntry, e.Action)
	}
	detail, err := compact(e.Detail)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: the detail of %s %w", errEntry, e.Action, err)
	}
	if e.At.IsZero() {
		e.At = now
	}
	e.Domain, e.Actor, e.Subject, e.Detail = clean(e.Domain), clean(e.Actor), clean(e.Subject), detail
	e.At, e.Seq, e.Prev = e.At.UTC().Truncate(time.Microsecond), l.Seq+1, l.Hash
	e.Hash = e.digest()
	return e, nil
}

// compact returns a JSON object in the form in which it is hashed and kept; {} for none.
func compact(detail json.RawMessage) (json.RawMessage, error) {
	if len(detail) == 0 {
		return json.RawMessage("{}"), nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, bytes.ToValidUTF8(detail, []byte("\uFFFD"))); err != nil || b.Bytes()[0] != '{' {
		return nil, errors.New("is no JSON object")
	}
	if b.Len() > MaxDetail {
		return nil, fmt.Errorf("has %d bytes, at most %d are allowed", b.Len(), MaxDetail)
	}
	return b.Bytes(), nil
}

// clean returns at most MaxText bytes of valid UTF-8.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= MaxText {
		return text
	}
	end := MaxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// entryTitle begins what is hashed. It changes with the form of what follows.
const entryTitle = "signalbox audit entry 1\x00"

// digest is the hash of an entry: of the title, Prev, Seq and At (8 bytes each, At in microseconds since 1970), then of each text its length (4 bytes) and itself. Numbers are
// big-endian. Nothing that one field holds can be taken for a part of another.
func (e *Entry) digest() Hash {
	b := append(make([]byte, 0, 512), entryTitle...)
	b = append(b, e.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	for _, text := range [...]string{e.Domain, e.Actor, e.Action, e.Subject, string(e.Detail)} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return sha256.Sum256(b)
}
