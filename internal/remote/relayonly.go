package remote

import (
	"strings"

	"signalbox/internal/signalling"
)

// allows reports whether a candidate may pass: where the session may go through TURN alone, neither party learns an address of the other.
func (l *live) allows(candidate string) bool {
	return candidate == "" || l.record.Transport != signalling.TransportTURNOnly || relayed(candidate)
}

// relayed reports whether a candidate is one of a TURN server (RFC 8839 section 5.1).
func relayed(candidate string) bool {
	fields := strings.Fields(candidate)
	return len(fields) >= 8 && fields[6] == "typ" && fields[7] == "relay"
}

// filterSDP takes those out of a session description that may not pass.
func (l *live) filterSDP(sdp string) string {
	if l.record.Transport != signalling.TransportTURNOnly {
		return sdp
	}
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if candidate, ok := strings.CutPrefix(line, "a=candidate:"); !ok || relayed(candidate) {
			b.WriteString(line)
		}
	}
	return b.String()
}
