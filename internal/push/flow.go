package push

import "signalbox/internal/endpoint"

// Flow is how pushes reach an endpoint that has a session on this node.
type Flow struct {
	Away      bool // the endpoint sent no presence yet, or that it is not available
	Suspended bool // its connection is lost, and its session may be resumed
	Stalled   bool // its session took no more the last time
	OnWay     int  // pushes that hold a place in the window
	Window    int  // as many may be on the way
}

// Flow returns how pushes reach the endpoint; false: it has no session on this node.
func (s *Service) Flow(k endpoint.Key) (Flow, bool) {
	l := s.lane(k)
	if l == nil {
		return Flow{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return Flow{Away: l.away, Suspended: l.suspended, Stalled: l.stalled, OnWay: l.onWay, Window: s.cfg.Window}, true
}
