package relay

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"

	"github.com/coder/websocket"

	"signalbox/internal/link"
)

// ServeHTTP takes a side of a channel: GET Path with a ticket behind it, which must ask for a WebSocket. Whatever is wrong with the ticket, the answer is 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !asksForWebSocket(r) {
		s.refuse(w, r, ReasonNoWebSocket, http.StatusUpgradeRequired)
		return
	}
	l, reason := s.take(strings.TrimPrefix(r.URL.Path, Path))
	if l == nil {
		status := http.StatusNotFound
		if reason == ReasonStopped {
			status = http.StatusServiceUnavailable
		}
		s.refuse(w, r, reason, status)
		return
	}
	defer s.running.Done()
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}) // an Origin that is another host's is refused
	if err != nil {
		l.pair.end(ReasonLost) // the ticket is used
		return
	}
	if !l.pair.enter(l, ws, source(r)) {
		end := l.pair.ended()
		_ = ws.Close(end.code(), string(end))
		return
	}
	// Whoever serves HTTP waits for this, and stops before Run is told to.
	unwatch := context.AfterFunc(r.Context(), func() { l.pair.end(ReasonStopped) })
	defer unwatch()
	l.serve()
}

// take uses a ticket. The caller is counted among those that run, if it gets one.
func (s *Server) take(ticket string) (*leg, Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, ReasonStopped
	}
	hash := sha256.Sum256([]byte(ticket))
	l := s.tickets[hash]
	if l == nil {
		return nil, ReasonUnknownTicket
	}
	delete(s.tickets, hash)
	s.running.Add(1)
	return l, ""
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, reason Reason, status int) {
	s.metrics.refused.WithLabelValues(string(reason)).Inc()
	if reason == ReasonUnknownTicket {
		s.refused(Refusal{Reason: reason, Source: source(r)})
	}
	if status == http.StatusUpgradeRequired {
		w.Header().Set("Upgrade", "websocket")
	}
	http.Error(w, http.StatusText(status), status)
}

func source(r *http.Request) netip.AddrPort {
	if info, ok := link.FromContext(r.Context()); ok {
		return info.Remote
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	return at
}

func asksForWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.Header.Get("Sec-WebSocket-Key") != ""
}
