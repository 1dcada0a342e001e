package scan

// Limits bound what one top-level element may ask of the server. They are checked while bytes arrive, so a peer cannot
// make the server buffer or nest more than this (RFC 6120 section 13.12, XEP-0205). A zero field stands for the value of
// DefaultLimits.
type Limits struct {
	// Bytes is the greatest length of one top-level element or stream header. RFC 6120 wants at least 10000.
	Bytes int
	// Depth is the greatest nesting of elements; the top-level element itself is 1.
	Depth int
	// Attributes is the greatest number of attributes of one element, namespace declarations included.
	Attributes int
	// Namespaces is the greatest number of namespace declarations in scope at once within one top-level element, and
	// the greatest number on a stream header.
	Namespaces int
}

// DefaultLimits returns limits that suit a peer which has not proved who it is.
func DefaultLimits() Limits {
	return Limits{Bytes: 10000, Depth: 32, Attributes: 32, Namespaces: 32}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.Bytes <= 0 {
		l.Bytes = d.Bytes
	}
	// Offsets inside an element are kept in 32 bits.
	l.Bytes = min(l.Bytes, 1<<30)
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	if l.Attributes <= 0 {
		l.Attributes = d.Attributes
	}
	if l.Namespaces <= 0 {
		l.Namespaces = d.Namespaces
	}
	return l
}

// Accepted are limits for what a stream's own, lower limits let in once, and what was added to it since: it is read again, not judged again.
var Accepted = Limits{Bytes: 4 << 20, Depth: 256, Attributes: 256, Namespaces: 256}
