package diagnosis

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rung is how one step of the ladder went, with what is known of it.
type Rung struct {
	Step    Step
	Result  Result
	At      time.Time // of the evidence; zero: there is none
	Code    string    // of a step that failed
	Address string    // from which it was seen; empty: none
	Detail  string    // for people; empty: the result says it
}

// climb is a ladder that breaks at a step: what is below went one way, what is above was not reached. Of the management server it says what is known of it.
func (c *inquiry) climb(at Step, broken, below Result, evidence Rung) []Rung {
	rungs := make([]Rung, 0, len(Steps()))
	for i, step := range Steps() {
		r := Rung{Step: step, Result: NotReached}
		switch height := at.height(); {
		case i < height && below == OK:
			r = Rung{Step: step, Result: OK, At: evidence.At, Address: evidence.Address}
		case i < height:
			r.Result = below
		case i == height:
			r = evidence
			r.Step, r.Result = step, broken
		}
		rungs = append(rungs, r)
	}
	if rungs[len(rungs)-1].Result == NotReached {
		rungs[len(rungs)-1] = c.told()
	}
	return rungs
}

// told is the last rung: whether the management server takes events.
func (c *inquiry) told() Rung {
	switch f := c.untold(); {
	case !c.managed:
		return Rung{Step: Event, Result: Unknown, Detail: "no management server is configured that events go to"}
	case f.Code != "":
		return Rung{Step: Event, Result: Failed, At: c.manager.Since, Code: f.Code, Detail: f.Summary}
	case c.manager.Told.IsZero():
		return Rung{Step: Event, Result: Unknown, Detail: "it has taken nothing yet"}
	case !c.manager.Oldest.IsZero():
		return Rung{Step: Event, Result: OK, At: c.manager.Told, Detail: c.manager.Host + " takes what happens; what is newest is on its way"}
	}
	return Rung{Step: Event, Result: OK, At: c.manager.Told, Detail: c.manager.Host + " took everything"}
}

func (s Sighting) rung() Rung {
	return Rung{At: s.At, Code: s.Code, Address: s.Remote.Addr().String(), Detail: s.Detail.Cause}
}

// facts are what sentences may say of the endpoint itself.
func (c *inquiry) facts() facts {
	p := c.record.Presence
	return facts{
		"id": c.record.ID, "who": c.record.ID, "domain": c.s.deps.Domain, "address": c.where(), "since": stamp(p.Since), "heard": stamp(p.LastHeard),
		"created": stamp(c.record.Created), "now": stamp(c.found.At),
	}
}

// of adds what is known of an attempt.
func (c *inquiry) of(s Sighting) facts {
	cert := c.s.deps.Server.Certificate(s.Detail.ServerName)
	asked := " (it named no server)"
	if s.Detail.ServerName != "" {
		asked = " (it asked for " + s.Detail.ServerName + ")"
	}
	return c.facts().with(
		"who", c.who(s), "address", s.Remote.Addr().String(), "rival", s.Remote.Addr().String(), "when", s.when(), "cause", s.Detail.Cause, "listener", s.Detail.Listener, "alpn", s.Detail.ALPN,
		"version", s.Detail.Version, "sni", s.Detail.ServerName, "mechanism", s.Detail.Mechanism, "to", s.Detail.To, "asked", asked,
		"names", strings.Join(cert.Names, ", "), "from", stamp(cert.From), "until", stamp(cert.Until),
	)
}

// who says honestly whose an attempt was.
func (c *inquiry) who(s Sighting) string {
	at := s.Remote.Addr().String()
	switch {
	case s.Named && c.address.IsValid() && place(c.address) == place(s.Remote.Addr()):
		return c.record.ID
	case s.Named: // anybody can say a name
		return "a client at " + at + " that calls itself " + c.record.ID
	case s.Others > 0:
		return "a client at " + at + ", where " + c.record.ID + " and " + counted(s.Others, "other endpoint") + " were last seen,"
	}
	return "the client at " + at + ", where " + c.record.ID + " was last seen,"
}

// when tells how often an attempt was seen, at the end of a sentence.
func (a Attempt) when() string {
	if a.Count > 1 {
		return ", " + counted(a.Count, "time") + " since " + stamp(a.First) + ", last at " + stamp(a.At)
	}
	return ", at " + stamp(a.At)
}

func (c *inquiry) where() string { return shown(c.address) }

func shown(a netip.Addr) string {
	if !a.IsValid() {
		return "an unknown address"
	}
	return a.String()
}

// host returns the address of host:port as sentences have it.
func host(remote string) string {
	at, _ := netip.ParseAddrPort(remote)
	return shown(at.Addr())
}

// with returns a copy with these names and values in turn.
func (f facts) with(pairs ...string) facts {
	more := facts{}
	for name, value := range f {
		more[name] = value
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		more[pairs[i]] = pairs[i+1]
	}
	return more
}

// counted is a number with its word.
func counted(n int, word string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(word, "sh"), strings.HasSuffix(word, "ss"):
		word += "es"
	default:
		word += "s"
	}
	return strconv.Itoa(n) + " " + word
}

func joined(places []netip.Addr) string {
	texts := make([]string, len(places))
	for i, p := range places {
		texts[i] = p.String()
	}
	return strings.Join(texts, " and ")
}

func byTime(found []Sighting) []Sighting {
	slices.SortStableFunc(found, func(a, b Sighting) int { return b.At.Compare(a.At) })
	return found
}

func newestFirst(found []Attempt) []Attempt {
	slices.SortStableFunc(found, func(a, b Attempt) int { return b.At.Compare(a.At) })
	return found
}
