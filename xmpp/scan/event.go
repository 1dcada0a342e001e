package scan

// Kind says what Scanner.Next found.
type Kind uint8

const (
	// NeedMore: the current item is incomplete; nothing is consumed.
	NeedMore Kind = iota
	// StreamOpen: a stream header, described by Event.Header.
	StreamOpen
	// StreamClose: the end tag of the stream.
	StreamClose
	// Whitespace: white space between top-level elements, the keepalive of RFC 6120 section 4.6.1. A run that arrives
	// in pieces is reported in pieces.
	Whitespace
	// TopLevel: one complete top-level element, a stanza or not, in Event.Stanza.
	TopLevel
)

var kindNames = [...]string{"need-more", "stream-open", "stream-close", "whitespace", "top-level"}

// String returns a short name for logs and tests.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Event is what one call of Scanner.Next found.
type Event struct {
	Kind Kind
	// Header is set for StreamOpen only. It owns its memory.
	Header *Header
	// Stanza is set for TopLevel only. It borrows the buffer given to Next.
	Stanza Stanza
}

// Header holds the facts of a stream header (RFC 6120 section 4.7); the scanner judges none of them. Values are unescaped.
// An empty string means that the attribute is absent or empty.
type Header struct {
	// Prefix, Local and Namespace name the root element; a proper stream has "stream", "stream" and NamespaceStreams.
	Prefix, Local, Namespace string
	// Default is the default namespace, which names the kind of stream: NamespaceClient for a client.
	Default string
	// The attributes of the header; Lang is xml:lang.
	To, From, ID, Lang, Version string
}

// IsStream reports whether the root element is stream in the streams namespace; if not, the answer is invalid-namespace
// or invalid-xml.
func (h *Header) IsStream() bool {
	return h.Local == "stream" && h.Namespace == NamespaceStreams
}
