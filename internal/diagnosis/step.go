// Package diagnosis answers why: why an endpoint is not online, why a push is in its state, and what happened to an endpoint, in one plain sentence with what to do.
package diagnosis

// Step is a rung of the ladder that an endpoint climbs until the management server knows that it is online.
type Step string

// The rungs in their order. The agent's own examination uses the same names.
const (
	DNS      Step = "dns"      // it finds our address
	TCP      Step = "tcp"      // it reaches a listener and says something
	Proxy    Step = "proxy"    // the load balancer's PROXY header, where one stands in between
	TLS      Step = "tls"      // it accepts our certificate and version
	Stream   Step = "stream"   // its XMPP stream is for a domain that is served here
	Auth     Step = "auth"     // it proves who it is
	Bind     Step = "bind"     // it has a session
	Presence Step = "presence" // it said that it takes pushes
	Event    Step = "event"    // the management server was told
)

// Steps returns the ladder from its foot.
func Steps() []Step { return []Step{DNS, TCP, Proxy, TLS, Stream, Auth, Bind, Presence, Event} }

// Result says how a step went.
type Result string

// The results of a step.
const (
	OK         Result = "ok"
	Failed     Result = "failed"
	Unknown    Result = "unknown"     // nothing was seen that says either
	NotReached Result = "not_reached" // an earlier step failed
)

// height returns the step's place on the ladder, -1 for none.
func (s Step) height() int {
	for i, rung := range Steps() {
		if rung == s {
			return i
		}
	}
	return -1
}
