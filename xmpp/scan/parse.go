package scan

// Parse returns the view of an element that stands alone, with no stream around it and no namespace inherited: a frame of
// RFC 7395, or what SpliceAlone wrote. It is as strict as a Scanner; raw must hold the element and nothing else. Parse may
// be called concurrently. The stanza borrows raw. An error is always an *Error.
func Parse(raw []byte, limits Limits) (Stanza, error) { return parse(raw, limits, emptyScope) }

// ParseInStream is Parse for an element out of a stream that declares NamespaceClient as default namespace and the prefix stream, as what Edit and Splice wrote.
func ParseInStream(raw []byte, limits Limits) (Stanza, error) { return parse(raw, limits, clientScope) }

func parse(raw []byte, limits Limits, sc *scope) (Stanza, error) {
	s := Scanner{limits: limits.orDefault(), scope: sc, phase: insideStream}
	ev, n, err := s.Next(raw)
	switch {
	case err != nil:
		return Stanza{}, err
	case ev.Kind == NeedMore:
		s.Reset()
		return Stanza{}, notWellFormed(len(raw), "incomplete element")
	case ev.Kind != TopLevel || n != len(raw):
		return Stanza{}, notWellFormed(n, "more than one element")
	}
	return ev.Stanza, nil
}
