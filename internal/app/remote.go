package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/turn/control"
	"signalbox/xmpp/feature"
)

// buildRemote builds what opens sessions on the TURN server, and has it follow where endpoints are seen.
func (a *App) buildRemote() {
	var server remote.TURN
	if a.turn != nil {
		server = turnServer{a.turn}
	}
	a.remote = remote.New(a.store, server, a.endpoint, a.log, a.registry)
	a.endpoint.Watch(a.remote)
	a.store.Deleted(a.remote.PartyDeleted)
}

// turnServer is the TURN server as sessions see it.
type turnServer struct{ client *control.Client }

// Open implements remote.TURN.
func (t turnServer) Open(ctx context.Context, g remote.Grant) error {
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
		return fmt.Errorf("%w: %w", remote.ErrTooMany, err)
	}
	return err
}

// End implements remote.TURN. While the TURN process is away its counters are none of now: that is an error, so that those stay that were counted last, with their time.
func (t turnServer) End(ctx context.Context, id remote.ID, reason string) (remote.Counters, error) {
	c, err := t.client.End(ctx, id.String(), reason)
	return countersOf(c), errors.Join(err, t.client.Away())
}

// Counters implements remote.TURN. While the TURN process is away it fails as End does.
func (t turnServer) Counters(ctx context.Context, id remote.ID) (remote.Counters, error) {
	c, err := t.client.Counters(ctx, id.String())
	return countersOf(c), errors.Join(err, t.client.Away())
}

func countersOf(c control.Counters) remote.Counters {
	return remote.Counters{
		Allocations: c.Allocations, OpenAllocations: uint64(c.Open), PacketsUp: c.PacketsUp, PacketsDown: c.PacketsDown, BytesUp: c.BytesUp, BytesDown: c.BytesDown,
		Drops: c.Drops, RefusedPeers: c.RefusedPeers,
	}
}

// Credentials implements remote.TURN.
func (t turnServer) Credentials(id remote.ID, s remote.Side) remote.Credentials {
	username, password, expires := t.client.Credentials(id.String(), [2]byte{control.SideA, control.SideB}[s])
	return remote.Credentials{Username: username, Password: password, URLs: t.client.URLs(), Expires: expires}
}

// ownRelay is what clients are told of the TURN server, or nil.
func (a *App) ownRelay() feature.Relay {
	if a.turn == nil {
		return nil
	}
	return relay{a.turn, a.remote}
}

// relay tells clients of the TURN server by XEP-0215.
type relay struct {
	client   *control.Client
	sessions *remote.Service
}

// Services implements feature.Relay. What serves TURN over UDP serves STUN, too.
func (r relay) Services() (all []feature.Service) {
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
func (r relay) Login(k endpoint.Key) (feature.Login, bool) {
	c, ok := r.sessions.PartyCredentials(k)
	return feature.Login{Username: c.Username, Password: c.Password, Expires: c.Expires}, ok
}
