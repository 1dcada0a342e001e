package listen

import (
	"fmt"
	"sync/atomic"
	"time"
)

// hungAfter is how long an accept loop may be at one connection, or rest after a failed accept: it does next to nothing with one and rests for acceptRestMax at most.
const hungAfter = 30 * time.Second

// loop is what an accept loop tells of itself.
type loop struct {
	ended atomic.Bool
	since atomic.Int64 // when it last left Accept, Unix nanoseconds; 0: it is in there
}

func (l *loop) waits() { l.since.Store(0) }

func (l *loop) works() { l.since.Store(time.Now().UnixNano()) }

// alive returns what is wrong with the loop, or nothing.
func (l *loop) alive(now time.Time) string {
	since := l.since.Load()
	switch {
	case l.ended.Load():
		return "has ended"
	case since != 0 && now.Sub(time.Unix(0, since)) > hungAfter:
		return fmt.Sprintf("hangs since %v", time.Unix(0, since).UTC().Format(time.RFC3339))
	}
	return ""
}

// Alive returns nil if each port that is open has an accept loop that waits for connections or has just left off to; ports that are closed on purpose need none. It may be called at any time.
func (s *Server) Alive() error {
	for _, p := range s.ports {
		if wrong := p.alive(time.Now()); wrong != "" {
			return fmt.Errorf("the accept loop of %s on %s %s", p.name, p.addr, wrong)
		}
	}
	return nil
}

func (p *port) alive(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loop == nil {
		return ""
	}
	return p.loop.alive(now)
}
