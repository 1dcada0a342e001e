package diagnosis

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/endpoint"
)

// quarrelled looks for two programs with one identity.
func (c *inquiry) quarrelled(context.Context) (bool, error) {
	q := c.s.deps.Memory.quarrel(c.record.Key, c.address)
	if q.turns == 0 {
		return false, nil
	}
	code := "takeover_loop"
	if len(q.places) > 1 {
		code = "cloned"
	}
	f := c.facts().with("places", joined(q.places), "count", counted(q.turns, "time"))
	return c.settle(code, f, c.climb(Bind, Failed, OK, Rung{At: q.at, Code: code}))
}

// online looks at an endpoint that has a session.
func (c *inquiry) online(ctx context.Context) (bool, error) {
	if c.found.State != endpoint.StateOnline {
		return false, nil
	}
	up := Rung{At: c.record.Presence.Since, Address: c.where()}
	flow, here := c.s.deps.Flows.Flow(c.record.Key)
	if here && !flow.Available {
		return c.settle("no_presence", c.facts(), c.climb(Presence, Failed, OK, Rung{At: up.At, Address: up.Address, Code: "no_presence"}))
	}
	steps := c.climb(Event, c.told().Result, OK, up)
	steps[len(steps)-1] = c.told()
	if rival := c.record.Unrest.Rival; rival != nil {
		return c.settle("clone_refused", c.facts().with("rival", host(rival.RemoteAddr), "when", ", last at "+stamp(rival.At)), steps)
	}
	n, oldest, err := c.s.deps.Pushes.Sent(ctx, c.record.Key)
	switch {
	case err != nil:
		return false, err
	case n > 0 && time.Since(oldest) > patience:
		return c.settle("unresponsive", c.facts().with("count", counted(n, "push"), "sent", stamp(oldest)), steps)
	}
	if c.record.Unrest.Flapping {
		return c.settle("flapping", c.facts().with("count", counted(c.record.Unrest.Sessions, "session")), steps)
	}
	if f := c.untold(); f.Code != "" {
		c.found.Finding, c.found.Steps = f, steps
		return true, nil
	}
	return c.settle("online", c.facts(), steps)
}

// patience is how long an endpoint may take for a receipt.
const patience = time.Minute

// closed looks whether this server lets anybody in.
func (c *inquiry) closed(context.Context) (bool, error) {
	cause := c.s.deps.Server.Closed()
	if cause == "" {
		return false, nil
	}
	return c.settle("server_certificate", c.facts().with("cause", cause), c.climb(TCP, Failed, Unknown, Rung{At: c.found.At, Code: "server_certificate"}))
}

// drained looks whether this server sends its endpoints away: that of one without a session is no other reason's doing.
func (c *inquiry) drained(context.Context) (bool, error) {
	since := c.s.deps.Server.Draining()
	if since.IsZero() {
		return false, nil
	}
	return c.settle("server_draining", c.facts().with("at", stamp(since)), c.climb(Stream, Failed, Unknown, Rung{At: since, Code: "server_draining"}))
}

func (c *inquiry) disabled(context.Context) (bool, error) {
	if c.record.Enabled {
		return false, nil
	}
	below, broken, f := Unknown, Rung{At: c.record.Updated, Code: "endpoint_disabled"}, c.facts()
	for _, s := range c.sightings {
		if s.Code == "endpoint_disabled" {
			f, below, broken = c.of(s), OK, s.rung()
			break
		}
	}
	return c.settle("endpoint_disabled", f, c.climb(Auth, Failed, below, broken))
}

// attempted looks at what came since the endpoint was last well.
func (c *inquiry) attempted(context.Context) (bool, error) {
	s, ok := c.telling()
	if !ok {
		return false, nil
	}
	code := s.Code
	switch {
	case code == "unknown_endpoint" && s.At.Before(c.record.Created):
		code = "registered_later"
	case code == "endpoint_disabled" && c.record.Enabled:
		code = "enabled_later"
	}
	return c.settle(code, c.of(s), c.climb(find(code).Step, Failed, OK, s.rung()))
}

// telling chooses the attempt that says most: the newest in the endpoint's name or from an address that it has for itself, else the newest from its address; those
// that say little come last.
func (c *inquiry) telling() (Sighting, bool) {
	sure := func(s Sighting) bool { return !find(s.Code).weak && (s.Named || s.Others == 0) }
	for _, fits := range []func(Sighting) bool{sure, func(s Sighting) bool { return !find(s.Code).weak }, func(Sighting) bool { return true }} {
		if i := slices.IndexFunc(c.sightings, fits); i >= 0 {
			return c.sightings[i], true
		}
	}
	return Sighting{}, false
}

// flapping looks at an endpoint that is away between two of many sessions: presence says that it flaps.
func (c *inquiry) flapping(context.Context) (bool, error) {
	u := c.record.Unrest
	if !u.Flapping {
		return false, nil
	}
	return c.settle("flapping", c.facts().with("count", counted(u.Sessions, "session")), c.climb(TCP, Unknown, Unknown, Rung{At: c.record.Presence.Since, Address: c.where()}))
}

// ended looks at how the last session ended: nothing came since then.
func (c *inquiry) ended(context.Context) (bool, error) {
	p := c.record.Presence
	if c.found.State != endpoint.StateOffline {
		return false, nil
	}
	return c.settle(codeOfEnd(p.Reason), c.facts().with("cause", p.Reason), c.climb(TCP, Unknown, Unknown, Rung{At: p.Since, Address: c.where()}))
}

// codeOfEnd returns the code for the reason with which a session ended. None ends offline as replaced: the newer one is there, and its own end is what is told.
func codeOfEnd(reason string) string {
	for code, reasons := range map[string][]endpoint.Reason{
		"silent_death":       {endpoint.ReasonSilent},
		"slow_reader":        {endpoint.ReasonSlowReader},
		"queue_full":         {endpoint.ReasonQueueFull},
		"connection_lost":    {endpoint.ReasonConnectionLost, endpoint.ReasonResumeExpired},
		"closed_by_endpoint": {endpoint.ReasonClosedByPeer},
		"ended_by_operator":  {endpoint.ReasonDisconnected},
		"secret_changed":     {endpoint.ReasonSecretChanged},
		"server_stopped":     {endpoint.ReasonShutdown, endpoint.ReasonMoved, endpoint.ReasonRestarted},
		"misbehaved": {
			endpoint.ReasonNotWellFormed, endpoint.ReasonRestrictedXML, endpoint.ReasonInvalidXML, endpoint.ReasonEncoding, endpoint.ReasonTooBig, endpoint.ReasonFlood,
			endpoint.ReasonInvalidFrom, endpoint.ReasonNotAuthorized, endpoint.ReasonUnsupported, endpoint.ReasonBadAck, endpoint.ReasonStanzaTimeout,
		},
	} {
		if slices.ContainsFunc(reasons, func(r endpoint.Reason) bool { return r.Name == reason }) {
			return code
		}
	}
	return "session_ended"
}

func (c *inquiry) never(context.Context) {
	_, _ = c.settle("never_seen", c.facts(), c.climb(DNS, Unknown, Unknown, Rung{}))
}
