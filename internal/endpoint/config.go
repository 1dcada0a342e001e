package endpoint

import (
	"errors"
	"fmt"
	"time"
)

// PresenceConfig says when events tell of the presence of endpoints.
type PresenceConfig struct {
	OfflineGrace     time.Duration `key:"offline_grace" doc:"Time that an endpoint may be offline before events tell of it; one that is back earlier causes none. The API shows it as offline at once. 0 tells at once, at most 1h."`
	FlappingSessions int           `key:"flapping_sessions" doc:"Sessions that may begin within a minute; an endpoint with more counts as flapping: its events wait, its logins are slowed. Where routing is open, for each of xmpp.max_resources. 2 to 100; 0: none ever does."`
	FlappingCalm     time.Duration `key:"flapping_calm" doc:"Time without a new session after which an endpoint is no longer flapping; 1s to 1h."`
}

// DefaultPresence returns the configuration that suits managed endpoints.
//
// A cut of 20 seconds ends without an event: an agent that finds its connection broken waits 1 to 3 seconds, then up to three times its last wait, so it is back 25
// seconds after the cut as a rule, 47 in one of a hundred cases, 60 at the latest. What is pulled out without a word shows as offline after xmpp.liveness (85 s), and its
// event comes a grace later (145 s).
func DefaultPresence() PresenceConfig {
	return PresenceConfig{OfflineGrace: time.Minute, FlappingSessions: 5, FlappingCalm: time.Minute}
}

// Validate names every mistake.
func (c PresenceConfig) Validate() error {
	var errs []error
	if c.OfflineGrace < 0 || c.OfflineGrace > time.Hour {
		errs = append(errs, fmt.Errorf("offline_grace: is %v, must be 0 to 1h", c.OfflineGrace))
	}
	if c.FlappingSessions != 0 && c.FlappingSessions < 2 || c.FlappingSessions > maxBegins-1 {
		errs = append(errs, fmt.Errorf("flapping_sessions: is %d, must be 2 to %d, or 0", c.FlappingSessions, maxBegins-1))
	}
	if c.FlappingCalm < time.Second || c.FlappingCalm > time.Hour {
		errs = append(errs, fmt.Errorf("flapping_calm: is %v, must be 1s to 1h", c.FlappingCalm))
	}
	return errors.Join(errs...)
}
