package turn

import (
	"net/netip"

	"signalbox/turn/control"
	"signalbox/turn/session"
)

// The methods below are what the server that controls this process asks for: control.Handler.

var _ control.Handler = (*Server)(nil)

// Own says which listeners the server of an owner has: no peer may be any of them, from now on also where sessions have relayed to one already.
func (s *Server) Own(owner string, listeners []netip.AddrPort) {
	if s.peers.Protect(owner, listeners) {
		s.sessions.Reconsider()
	}
}

// Secrets replaces the keys of passwords.
func (s *Server) Secrets(secrets control.Secrets) { s.secrets.Store(&secrets) }

func (s *Server) currentSecrets() control.Secrets { return *s.secrets.Load() }

// Open opens a session, or changes one that is open.
func (s *Server) Open(one control.Session) error { return s.sessions.Open(one) }

// End ends a session: everything of it is silent when it returns. False: there is none. The reason is in the records of the server that asks.
func (s *Server) End(id, _ string) (control.Counters, bool) { return s.sessions.End(id) }

// Sync ends the sessions of an owner that are not among ids. The owner has told of those before.
func (s *Server) Sync(owner string, ids []string) {
	s.sessions.Sync(owner, ids)
	s.told.Do(func() { close(s.sessionsTold) })
}

// Counters returns what a session has done. False: there is none.
func (s *Server) Counters(id string) (control.Counters, bool) { return s.sessions.Counters(id) }

func limits(s control.Settings) session.Limits {
	return session.Limits{
		Allocations: s.MaxAllocations, SessionAllocations: s.SessionAllocations, TechnicianAllocations: s.TechnicianAllocations,
		SessionRate: s.SessionRate, TotalRate: s.TotalRate,
	}
}
