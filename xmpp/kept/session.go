// Package kept keeps the state of sessions that can be resumed (XEP-0198 section 5) in a file while the server does not run.
package kept

import (
	"net/netip"
	"slices"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/internal/link"
	"signalbox/internal/push"
	"signalbox/xmpp/feature"
)

// Session is what a session needs to go on in another process. Counters are those of XEP-0198 section 4.
type Session struct {
	Domain   string    `json:"domain"`
	Endpoint string    `json:"endpoint"`
	Resource string    `json:"resource"`
	ID       string    `json:"id"` // by which it is resumed
	Until    time.Time `json:"until"`

	Acked    uint32         `json:"acked"`             // stanzas that the endpoint acknowledged
	Received uint32         `json:"received"`          // stanzas that came in and are dealt with
	Unacked  []Stanza       `json:"unacked,omitempty"` // sent and not acknowledged, oldest first
	Pushes   []push.Carried `json:"pushes,omitempty"`  // on the way to it

	Available bool          `json:"available,omitempty"` // takes pushes
	State     *feature.Kept `json:"state,omitempty"`     // nil: nobody asked for anything
	Client    string        `json:"client,omitempty"`    // as in endpoint.Facts

	Bound  time.Time      `json:"bound"`
	Heard  time.Time      `json:"heard"`
	Since  time.Time      `json:"since"`  // when the endpoint went offline
	Reason string         `json:"reason"` // why
	Remote netip.AddrPort `json:"remote"`
	Via    link.Via       `json:"via"`
	TLS    uint16         `json:"tls"` // version
}

// Stanza is one that may have to be sent again.
type Stanza struct {
	Raw    []byte  `json:"raw"`
	Push   push.ID `json:"push,omitempty"`   // that it carries and that was perhaps not written; 0: none
	Copies int     `json:"copies,omitempty"` // of a message that comes back if no client reads it: a number that all its copies have; 0: it does not
}

// Key returns whose session it is.
func (s *Session) Key() endpoint.Key { return endpoint.Key{Domain: s.Domain, ID: s.Endpoint} }

// Fresh reports whether the session can still be resumed at now.
func (s *Session) Fresh(now time.Time) bool { return s.Until.After(now) && s.ID != "" }

// Of returns those of the sessions that are of a domain.
func Of(domain string, all []Session) []Session {
	return slices.DeleteFunc(slices.Clone(all), func(s Session) bool { return s.Domain != domain })
}

// Carried returns the pushes that sessions carry which can still be resumed at now.
func Carried(all []Session, now time.Time) map[push.ID]bool {
	ids := make(map[push.ID]bool)
	for i := range all {
		if !all[i].Fresh(now) {
			continue
		}
		for _, c := range all[i].Pushes {
			ids[c.ID] = true
		}
	}
	return ids
}
