package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"signalbox/internal/endpoint"
	"signalbox/internal/turnsession"
	"signalbox/turn/control"
	"signalbox/xmpp/feature"
)

// buildTURNSessions builds what opens sessions on the TURN server, and has it follow where endpoints are seen.
func (a *App) buildTURNSessions() {
	var server turnsession.TURN
	if a.turn != nil {
		server = turnServer{a.turn}
	}
	a.turnSessions = turnsession.New(a.store, server, a.endpoint, a.log, a.registry)
	a.endpoint.Watch(a.turnSessions)
	a.store.Deleted(a.turnSessions.PartyDeleted)
}

// turnServer is the TURN server as sessions see it.
type turnServer struct{ client *control.Client }

// Open implements turnsession.TURN.
func (t turnServer) Open(ctx context.Context, g turnsession.Grant) error {
	s := control.Session{
		ID: g.ID.String(), Expires: g.Expires, Technician: g.Technician, AllowPeers: g.AllowPeers, MaxAllocations: g.MaxAllocations, Rate: g.Rate,
	}
	for side, addr := range g.Observed {
		if addr.IsValid() {
			s.Observed[side] = []netip.Addr{addr}
		}
	}
	err := t.client.Open(ctx, s)
	if errors.Is(err, control.ErrTooManySessions) {
		return fmt.Errorf("%w: %w", turnsession.ErrTooMany, err)
	}
	return err
}

// End implements turnsession.TURN. While the TURN process is away its counters are none of now: that is an error, so that those stay that were counted last, with their time.
func (t turnServer) End(ctx context.Context, id turnsession.ID, reason string) (turnsession.Counters, error) {
	c, err := t.client.End(ctx, id.String(), reason)
	return countersOf(c), errors.Join(err, t.client.Away())
}

// Counters implements turnsession.TURN. While the TURN process is away it fails as End does.
func (t turnServer) Counters(ctx context.Context, id turnsession.ID) (turnsession.Counters, error) {
	c, err := t.client.Counters(ctx, id.String())
	return countersOf(c), errors.Join(err, t.client.Away())
}

func countersOf(c control.Counters) turnsession.Counters {
	return turnsession.Counters{
		Allocations: c.Allocations, OpenAllocations: uint64(c.Open), PacketsUp: c.PacketsUp, PacketsDown: c.PacketsDown, BytesUp: c.BytesUp, BytesDown: c.BytesDown,
		Drops: c.Drops, RefusedPeers: c.RefusedPeers,
	}
}

// Credentials implements turnsession.TURN.
func (t turnServer) Credentials(id turnsession.ID, s turnsession.Side) turnsession.Credentials {
	username, password, expires := t.client.Credentials(id.String(), [2]byte{control.SideA, control.SideB}[s])
	return turnsession.Credentials{Username: username, Password: password, URLs: t.client.URLs(), Expires: expires}
}

// ownRelay is what clients are told of the TURN server, or nil.
func (a *App) ownRelay() feature.Relay {
	if a.turn == nil {
		return nil
	}
	return turnRelay{a.turn, a.turnSessions}
}

// turnRelay tells clients of the TURN server by XEP-0215.
type turnRelay struct {
	client   *control.Client
	sessions *turnsession.Service
}

// Services implements feature.Relay. What serves TURN over UDP serves STUN, too.
func (r turnRelay) Services() (all []feature.Service) {
	for _, url := range r.client.URLs() {
		services, err := feature.ParseServices(url)
		if err != nil { // it is no name that a client could use
			continue
		}
		if s := services[0]; s.Type == "turn" && s.Transport == "udp" {
			s.Type = "stun"
			all = append(all, s)
		}
		all = append(all, services...)
	}
	return all
}

// Login implements feature.Relay.
func (r turnRelay) Login(k endpoint.Key) (feature.Login, bool) {
	c, ok := r.sessions.PartyCredentials(k)
	return feature.Login{Username: c.Username, Password: c.Password, Expires: c.Expires}, ok
}
