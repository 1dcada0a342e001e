package sasl

import "slices"

// The delimiters of XEP-0474 section 5.1, which no XML can hold.
const (
	betweenNames = 0x1e
	betweenLists = 0x1f
)

// offered returns the text whose hash goes into SCRAM's attribute h (XEP-0474 section 5.1): all mechanisms and all channel-binding types that were announced on
// the stream, in the order of their bytes. The client compares the hash with what it received, so that nobody between the two can strike out the strong ones. The
// lists are the same in both profiles of SASL.
func offered(in Input) []byte {
	text := appendSorted(make([]byte, 0, 160), Offer(in))
	if types := BindingTypes(in.TLS); len(types) > 0 {
		text = appendSorted(append(text, betweenLists), types)
	}
	return text
}

func appendSorted(b []byte, names []string) []byte {
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, betweenNames)
		}
		b = append(b, name...)
	}
	return b
}
