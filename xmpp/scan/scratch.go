package scan

import "sync"

// scratch is what a scanner needs only while it is inside a top-level element. All positions are offsets from the start
// of that element, because the caller may move the bytes between two calls.
type scratch struct {
	pos   int  // everything before is settled
	seek  int  // how far the end of the token that starts at pos was sought
	mode  mode // what stands at pos
	quote byte // the quote that seek is inside of, or 0
	def   nsID // the default namespace at pos
	// inherits is true as long as def is what the stream header says.
	inherits bool
	open     []frame
	decls    []declaration
	attrs    []attribute
	arena    []byte // namespace names that had to be unescaped

	stanza Stanza
}

type mode uint8

const (
	inContent     mode = iota // text or markup may follow
	inTag                     // a start tag or an end tag whose end is being sought
	inReference               // a reference whose end is being sought
	inCDATA                   // behind <![CDATA[
	inProlog                  // the very start of a stream
	inDeclaration             // an XML declaration whose end is being sought
	inMisc                    // before the root element; an XML declaration is too late
)

// span is a piece of the current element; the zero span means absent, because no piece starts at 0.
type span struct{ start, end uint32 }

func (s span) of(b []byte) []byte { return b[s.start:s.end] }

func (s span) len() int { return int(s.end - s.start) }

func at(start, end int) span { return span{uint32(start), uint32(end)} }

// frame is an open element.
type frame struct {
	name     span
	decls    int  // how many declarations are in scope outside of it
	def      nsID // the default namespace outside of it
	inherits bool // whether def comes from the stream header
}

// declaration is a namespace declaration inside the current element.
type declaration struct {
	prefix  span // empty for the default namespace
	uri     span
	inArena bool // uri lies in scratch.arena, not in the element
	id      nsID
	class   class
}

// attribute is one attribute of the tag that is being read.
type attribute struct {
	name    span
	prefix  int // length of the prefix, 0 without one
	value   span
	escaped bool // the value needs unescaping
	id      nsID
}

// scratches recycles scratch memory between elements and streams, so that an idle scanner holds none. It carries no
// information from one use to the next.
var scratches = sync.Pool{New: func() any {
	return &scratch{
		open:  make([]frame, 0, 8),
		decls: make([]declaration, 0, 8),
		attrs: make([]attribute, 0, 8),
	}
}}

// enter takes scratch memory for a new element or stream header.
func (s *Scanner) enter(m mode) *scratch {
	w := scratches.Get().(*scratch)
	w.mode, w.def, w.inherits = m, s.scope.def, true
	w.stanza.scope = s.scope
	s.work = w
	return w
}

// leave gives the scratch memory back. What an unusual element made large is left to the collector.
func (s *Scanner) leave() {
	w := s.work
	s.work = nil
	if cap(w.open) > 256 || cap(w.decls) > 256 || cap(w.attrs) > 256 || cap(w.arena) > 4096 {
		return
	}
	*w = scratch{open: w.open[:0], decls: w.decls[:0], attrs: w.attrs[:0], arena: w.arena[:0]}
	scratches.Put(w)
}
