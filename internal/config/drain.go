package config

import (
	"errors"
	"fmt"
	"time"

	"signalbox/xmpp/settings"
)

// Drain says how a node stops.
type Drain struct {
	Period     time.Duration `key:"period" doc:"Time over which endpoints are told when to come back and their streams are closed, when the server stops and by 'signalbox drain'; 1s to 5m."`
	ForceAfter time.Duration `key:"force_after" doc:"Time beyond period and xmpp.shutdown_timeout after which the process of a server that was told to stop ends, whatever is not done by then; 10s to 15m. Whatever supervises the process must wait longer than the three together."`
	OtherHost  string        `key:"other_host" doc:"Where endpoints are sent when the server stops (see-other-host, RFC 6120 section 4.9.3.19): host:port or [IPv6]:port of another node; empty: they are told when to come back."`
	KeepBytes  int           `key:"keep_bytes" doc:"Most bytes of sessions that a stop keeps in data_dir, so that their endpoints resume them after the next start (XEP-0198); what does not fit logs in again. 0 keeps none, at most 1073741824."`
}

func defaultDrain() Drain {
	return Drain{Period: 10 * time.Second, ForceAfter: time.Minute, KeepBytes: 64 << 20}
}

// maxKeepBytes is what the file of sessions may have.
const maxKeepBytes = 1 << 30

// Validate names every mistake.
func (d Drain) Validate() error {
	var errs []error
	if d.Period < time.Second || d.Period > 5*time.Minute {
		errs = append(errs, fmt.Errorf("period: is %v, must be 1s to 5m", d.Period))
	}
	if d.ForceAfter < 10*time.Second || d.ForceAfter > 15*time.Minute {
		errs = append(errs, fmt.Errorf("force_after: is %v, must be 10s to 15m", d.ForceAfter))
	}
	if d.KeepBytes < 0 || d.KeepBytes > maxKeepBytes {
		errs = append(errs, fmt.Errorf("keep_bytes: is %d, must be 0 to %d", d.KeepBytes, maxKeepBytes))
	}
	if err := settings.CheckHost(d.OtherHost); err != nil {
		errs = append(errs, fmt.Errorf("other_host: %w", err))
	}
	return errors.Join(errs...)
}
