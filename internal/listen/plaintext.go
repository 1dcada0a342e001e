package listen

import (
	"fmt"

	"signalbox/internal/link"
)

// keyPlaintext is the configuration key of the laboratory's listener.
const keyPlaintext = "xmpp.insecure_plaintext"

// AllowPlaintext has Open open one more listener, xmpp_plaintext, on which clients may log in without TLS: for test suites that speak none. The handler of
// STARTTLS is told so by link.TLS.Laboratory, which nothing else sets. The address is host:port with a loopback address; others are refused. No proxy is trusted
// there, so that nobody from elsewhere gets in. It must not be called after Open.
func (s *Server) AllowPlaintext(addr string) error {
	if err := link.CheckLoopback(addr); err != nil {
		return fmt.Errorf("%s: %w", keyPlaintext, err)
	}
	s.plaintext = addr
	return nil
}

func (s *Server) plaintextAddrs() []string {
	if s.plaintext == "" {
		return nil
	}
	return []string{s.plaintext}
}
