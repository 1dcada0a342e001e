package xmpp

import (
	"strconv"
	"time"
)

const nsLimits = "urn:xmpp:stream-limits:0"

// appendLimits tells a client what it must keep to (XEP-0478): the largest element, and the silence after which it is asked for a sign of life or sent away.
func appendLimits(b []byte, bytes int, idle time.Duration) []byte {
	b = append(b, "<limits xmlns='"+nsLimits+"'><max-bytes>"...)
	b = append(strconv.AppendInt(b, int64(bytes), 10), "</max-bytes><idle-seconds>"...)
	return append(strconv.AppendInt(b, int64(idle/time.Second), 10), "</idle-seconds></limits>"...)
}

// afterLogin appends the stream features of a client that logged in.
func (s *Server) afterLogin(b []byte) []byte {
	return appendLimits(append(b, s.deps.Features.Stream()...), s.cfg.MaxStanzaBytes, s.cfg.PingAfter)
}
