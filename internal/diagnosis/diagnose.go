package diagnosis

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"signalbox/internal/endpoint"
)

// Diagnosis says why an endpoint is or is not seen online.
type Diagnosis struct {
	ID    string
	At    time.Time
	State endpoint.State
	Fine  bool // nothing is wrong
	Finding
	Steps    []Rung
	Also     []Finding // what else is wrong, the gravest first
	Attempts []Sighting
}

// Sighting is an attempt and how it is known whose it was.
type Sighting struct {
	Attempt
	Named  bool // it gave the endpoint's name; false: it came from the address where the endpoint was last seen
	Others int  // that many other endpoints were seen at that address, at most 7
}

// Endpoint says why an endpoint is or is not seen online. Of one that is not registered it knows who tried to log in as it; if nobody did, it returns
// endpoint.ErrUnknown.
func (s *Service) Endpoint(ctx context.Context, id string) (Diagnosis, error) {
	k := s.key(id)
	r, err := s.deps.Endpoints.Endpoint(ctx, k)
	unknown := errors.Is(err, endpoint.ErrUnknown)
	if err != nil && !unknown {
		return Diagnosis{}, err
	}
	if unknown {
		r = endpoint.Record{Endpoint: endpoint.Endpoint{Key: k, Enabled: true}, Presence: endpoint.Presence{State: endpoint.StateNever}}
	}
	c := s.open(ctx, r)
	if unknown && len(c.sightings) == 0 {
		return Diagnosis{}, err
	}
	if unknown {
		newest := c.sightings[0]
		_, _ = c.settle("unknown_endpoint", c.of(newest), c.climb(Auth, Failed, OK, newest.rung()))
		return c.found, nil
	}
	if err := c.conclude(ctx); err != nil {
		return Diagnosis{}, err
	}
	return c.found, nil
}

// inquiry is the way to one diagnosis.
type inquiry struct {
	s         *Service
	record    endpoint.Record
	address   netip.Addr // where the endpoint is, or was last seen; not valid if it never was
	sightings []Sighting // since the endpoint was last well, the newest first
	manager   Management
	managed   bool
	found     Diagnosis
}

func (s *Service) open(ctx context.Context, r endpoint.Record) *inquiry {
	state := r.Presence.State
	if state == "" {
		state = endpoint.StateNever
	}
	c := &inquiry{s: s, record: r, found: Diagnosis{ID: r.ID, At: time.Now().UTC(), State: state}}
	if at, err := netip.ParseAddrPort(r.Presence.RemoteAddr); err == nil {
		c.address = at.Addr()
	}
	c.manager, c.managed = s.Management(ctx, r.Key)
	c.sightings = s.sightings(r.Key, c.address, c.lastWell())
	c.found.Attempts = c.sightings
	return c
}

// lastWell is when the endpoint was last known to be well; of one that is online, since when.
func (c *inquiry) lastWell() time.Time {
	if p := c.record.Presence; c.found.State == endpoint.StateOffline && !p.LastHeard.IsZero() {
		return p.LastHeard
	}
	return c.record.Presence.Since
}

// sightings returns the attempts of an endpoint after since: those in its name, and those without a name from the address where it was last seen.
func (s *Service) sightings(k endpoint.Key, at netip.Addr, since time.Time) (found []Sighting) {
	for _, a := range s.deps.Memory.Endpoint(k) {
		if a.At.After(since) {
			found = append(found, Sighting{Attempt: a, Named: true})
		}
	}
	if !at.IsValid() {
		return found
	}
	here, tenants := s.deps.Memory.At(at)
	others := 0
	for _, t := range tenants {
		if t != k {
			others++
		}
	}
	for _, a := range here {
		if a.Key.ID == "" && a.At.After(since) {
			found = append(found, Sighting{Attempt: a, Others: others})
		}
	}
	return byTime(found)
}

// conclude asks what can be wrong, the most certain first.
func (c *inquiry) conclude(ctx context.Context) error {
	for _, look := range []func(context.Context) (bool, error){c.quarrelled, c.online, c.closed, c.disabled, c.drained, c.attempted, c.flapping, c.ended} {
		if done, err := look(ctx); done || err != nil {
			c.addAlso(ctx)
			return err
		}
	}
	c.never(ctx)
	c.addAlso(ctx)
	return nil
}

// settle takes a code as the answer.
func (c *inquiry) settle(code string, f facts, steps []Rung) (bool, error) {
	c.found.Finding, c.found.Fine, c.found.Steps = f.finding(code), find(code).fine, steps
	return true, nil
}

// addAlso adds what else is wrong.
func (c *inquiry) addAlso(ctx context.Context) {
	add := func(f Finding) {
		if f.Code != "" && f.Code != c.found.Code {
			c.found.Also = append(c.found.Also, f)
		}
	}
	add(c.unwritable(ctx))
	add(c.intercepted())
	add(c.untold())
	if c.found.Code == "never_seen" {
		add(c.s.strangersRefused())
	}
}

func (c *inquiry) unwritable(ctx context.Context) Finding {
	if cause := c.s.deps.Server.Unwritable(ctx); cause != "" {
		return c.facts().with("cause", cause).finding("disk_full")
	}
	return Finding{}
}

// intercepted is that an endpoint which is online says that TLS is opened on its way.
func (c *inquiry) intercepted() Finding {
	if p := c.record.Presence; p.State == endpoint.StateOnline && p.Intercepted {
		return c.facts().finding("intercepted")
	}
	return Finding{}
}

// untold is why the management server does not know, or knows late.
func (c *inquiry) untold() Finding {
	if !c.managed {
		return Finding{}
	}
	return c.manager.facts().with("id", c.record.ID).finding(c.manager.code())
}

// strangersRefused tells of refusals that nobody can be told to be of an endpoint.
func (s *Service) strangersRefused() Finding {
	const most = 100
	found := s.deps.Memory.Strangers(time.Now().Add(-time.Hour), most)
	if len(found) == 0 {
		return Finding{}
	}
	count := counted(len(found), "address")
	if len(found) == most {
		count = "at least " + count
	}
	return facts{"count": count, "address": found[0].Remote.Addr().String(), "cause": found[0].Code}.finding("strangers_refused")
}
