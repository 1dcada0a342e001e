package login

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"signalbox/internal/agent/ladder"
	"signalbox/xmpp/scan"
)

var errResume = errors.New("the server broke the protocol in the resumption")

// resumeSession asks for the session (XEP-0198 section 5). A server that does not have it any more says so, and a resource is bound on the same stream.
func (n *negotiation) resumeSession() error {
	text := append([]byte("<resume xmlns='"+nsManagement+"' h='"+strconv.FormatUint(uint64(n.resume.Handled), 10)+"' previd='"), scan.AppendEscaped(nil, n.resume.ID)...)
	if _, err := n.conn.Write(append(text, "'/>"...)); err != nil {
		return err
	}
	el, err := n.answer()
	if err != nil {
		return err
	}
	switch {
	case el.Is(nsManagement, "failed"):
		return nil
	case el.Is(scan.NamespaceStreams, "error"):
		return n.ended(ParseStreamError(el))
	case !el.Is(nsManagement, "resumed"):
		return ladder.New(ladder.Protocol, "", errResume)
	}
	text2, _ := el.Element().Attr("h")
	h, err := strconv.ParseUint(string(text2), 10, 32)
	if err != nil {
		return ladder.New(ladder.Protocol, "", fmt.Errorf("%w: unreadable count", errResume))
	}
	n.resumed, n.handled = true, uint32(h)
	return nil
}

// answer reads the next element, and not a byte behind it.
func (n *negotiation) answer() (*scan.Stanza, error) {
	in := NewReader(&singly{n.conn})
	if err := in.Replay(bytes.Clone(n.conn.seen)); err != nil {
		return nil, err
	}
	for {
		ev, err := in.Next()
		if err != nil {
			return nil, err
		}
		switch ev.Kind {
		case scan.TopLevel:
			return &ev.Stanza, nil
		case scan.StreamClose:
			return nil, io.EOF
		}
	}
}

// singly gives out one byte at a time, each of which the connection remembers.
type singly struct{ conn *byteConn }

// Read reads one byte.
func (s *singly) Read(p []byte) (int, error) {
	b, err := s.conn.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}
