package channel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxRequest is the largest text message of a technician; those of an endpoint may have MaxMessage bytes.
const MaxRequest = 16 << 10

const (
	maxDepth  = 8         // of objects and arrays in a message
	maxNumber = 1<<31 - 1 // of ids, transfers and the like
	// MaxOffset is the greatest size and place in a file or an output: what JavaScript can count.
	MaxOffset = 1<<53 - 1
)

// Nothing is the value of a member that says all by being there: {}.
type Nothing struct{}

// checked is a message that knows what its members may be.
type checked interface{ check() error }

// Encode writes a message as the JSON of a text message. It fails if that is larger than MaxMessage.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(text) > MaxMessage {
		return nil, fmt.Errorf("a message of %d bytes, of which at most %d fit", len(text), MaxMessage)
	}
	return text, nil
}

// decode reads a text message strictly into v: one JSON object of at most limit bytes, with names that v has, each once and spelled alike, without null, and values within
// bounds.
func decode(data []byte, limit int, v checked) error {
	err := scan(data, limit)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		err = dec.Decode(v)
	}
	if err == nil {
		err = v.check()
	}
	if err != nil {
		return &Error{Code: CodeInvalid, Detail: "malformed message: " + plain(err)}
	}
	return nil
}

// plain is an error without what it quotes of the message beyond a name.
func plain(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Sprintf("%s is no %s", kind.Field, kind.Type)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// scan refuses what encoding/json lets pass: names twice or in another case, null, text that is not UTF-8, and more than one value.
func scan(data []byte, limit int) error {
	switch {
	case len(data) > limit:
		return fmt.Errorf("%d bytes, of which at most %d are taken", len(data), limit)
	case !utf8.Valid(data):
		return errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := object(dec); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the object")
	}
	return nil
}

// object walks over the one object of a message.
func object(dec *json.Decoder) error {
	first, err := dec.Token()
	if err != nil {
		return err
	}
	if first != json.Delim('{') {
		return errors.New("it is no object")
	}
	return members(dec, 1)
}

// members walks over the rest of an object whose brace was read.
func members(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		switch {
		case !validName(name):
			return errors.New("a member has no name of this protocol")
		case seen[name]:
			return fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if err := value(dec, depth); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// value walks over one value.
func value(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	switch {
	case err != nil:
		return err
	case t == nil:
		return errors.New("null is no value")
	case depth >= maxDepth:
		return errors.New("it is nested too deeply")
	case t == json.Delim('{'):
		return members(dec, depth+1)
	case t != json.Delim('['):
		return nil
	}
	for dec.More() {
		if err := value(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// validName reports whether a member may have this name: all of ours are lower case, so that none is taken for another.
func validName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && len(name) <= 32
}

// one wants exactly one of the members of a message.
func one(is ...bool) error {
	n := 0
	for _, b := range is {
		if b {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("%d members that say what it is, instead of one", n)
	}
	return nil
}

// within wants a number between bounds.
func within(name string, v, low, high int64) error {
	if v < low || v > high {
		return fmt.Errorf("%s must be between %d and %d", name, low, high)
	}
	return nil
}

// short wants a text of at most most bytes.
func short(name, text string, most int) error {
	if len(text) > most {
		return fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return nil
}
