package signalling

import (
	"fmt"

	"signalbox/xmpp/scan"
)

// ParseJSON reads the JSON spelling of a message that comes one of these ways; the message is a value, such as Attach, that shares nothing with data. Nothing is passed over:
// members that are unknown or stand there twice, values of another type or beyond their bounds, and bytes behind the object are refused. The error is an *Error.
func ParseJSON(data []byte, w Way) (Message, error) {
	if err := checkSize(len(data)); err != nil {
		return nil, err
	}
	in, err := readJSON(data)
	if err != nil {
		return nil, err
	}
	name, found, err := in.value(field{name: "type"})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, &Error{Code: MissingMember, Member: "type", Detail: "it must be there"}
	}
	return parse(name, in, w)
}

// ParseXML is ParseJSON of the XML spelling: an element of Namespace, which a scanner has accepted.
func ParseXML(el scan.Element, w Way) (Message, error) {
	if err := checkSize(len(el.Raw())); err != nil {
		return nil, err
	}
	if string(el.Namespace()) != Namespace {
		return nil, &Error{Code: Malformed, Detail: "it must be an element of " + Namespace}
	}
	in, err := newElement(el)
	if err != nil {
		return nil, err
	}
	return parse(string(el.Local()), in, w)
}

func checkSize(n int) error {
	if n > MaxMessage {
		return &Error{Code: TooLarge, Detail: fmt.Sprintf("it must have at most %d bytes", MaxMessage)}
	}
	return nil
}

func parse(name string, in source, w Way) (Message, error) {
	r, ok := rowOf(name)
	if !ok {
		return nil, &Error{Code: UnknownType, Detail: "there is no message " + shown(name)}
	}
	f := &form{in: in}
	m := r.read(f)
	if f.finish(); f.err != nil {
		return nil, f.err
	}
	if err := Allowed(m, w); err != nil {
		return nil, err
	}
	return m, nil
}

// AppendJSON appends the JSON spelling of a message. What no receiver would accept is refused with an *Error, and nothing is appended.
func AppendJSON(dst []byte, m Message) ([]byte, error) {
	out := &jsonTarget{b: append(make([]byte, 0, 512), '{')}
	out.value(field{name: "type"}, m.Name())
	if err := write(m, out); err != nil {
		return dst, err
	}
	return appendSized(dst, append(out.b, '}'))
}

// AppendXML is AppendJSON of the XML spelling: an element that declares Namespace itself.
func AppendXML(dst []byte, m Message) ([]byte, error) {
	out := &xmlTarget{}
	if err := write(m, out); err != nil {
		return dst, err
	}
	return appendSized(dst, out.appendTo(nil, m.Name(), " xmlns='"+Namespace+"'"))
}

func appendSized(dst, message []byte) ([]byte, error) {
	if err := checkSize(len(message)); err != nil {
		return dst, err
	}
	return append(dst, message...), nil
}

func write(m Message, out target) error {
	r, ok := rowOf(m.Name())
	if !ok {
		return &Error{Code: UnknownType, Detail: "it is no message of this package"}
	}
	f := &form{out: out}
	if r.write(f, m); f.err != nil {
		return f.err
	}
	return nil
}
