package remote

import (
	"errors"
	"fmt"
	"time"

	"signalbox/internal/signalling"
)

// Config is the section session.
type Config struct {
	MaxDuration      time.Duration `key:"max_duration" doc:"Longest remote session that may be asked for; 1m to 24h."`
	Duration         time.Duration `key:"duration" doc:"Length of a session that asks for none; 1m to max_duration."`
	MaxIdle          time.Duration `key:"max_idle" doc:"Time without anything from the technician after which a session ends, unless it asks for less; 1m to 24h, or 0: never."`
	MaxPerTechnician int           `key:"max_per_technician" doc:"Sessions that one technician may have at the same time; 1 to 1000."`
	MaxPerEndpoint   int           `key:"max_per_endpoint" doc:"Sessions that one endpoint may have at the same time, with one technician or several; 1 to 100."`
	Consent          string        `key:"consent" doc:"What holds for a session that does not say whether its user is asked: none, ask_allow (no answer allows) or ask_deny (no answer denies)."`
	ConsentTimeout   time.Duration `key:"consent_timeout" doc:"How long the user is asked where the session does not say; 5s to 10m."`
}

// Bounds of what a session may ask for.
const (
	MinDuration = time.Minute
	TopDuration = 24 * time.Hour
	MinConsent  = signalling.MinConsent
	MaxConsent  = signalling.MaxConsent
	MaxOpen     = 10000 // sessions that are open at the same time
)

// Default returns the configuration that stands when nothing is set: whoever does not say otherwise asks the user, and no answer is none.
func Default() Config {
	return Config{
		MaxDuration: TopDuration, Duration: time.Hour, MaxIdle: 30 * time.Minute, MaxPerTechnician: 20, MaxPerEndpoint: 4,
		Consent: signalling.ModeAskDeny, ConsentTimeout: 30 * time.Second,
	}
}

// Validate names every mistake.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(within(c.MaxDuration, MinDuration, TopDuration), "max_duration: is %v, must be 1m to 24h", c.MaxDuration)
	check(within(c.Duration, MinDuration, c.MaxDuration), "duration: is %v, must be 1m to max_duration", c.Duration)
	check(c.MaxIdle == 0 || within(c.MaxIdle, MinDuration, TopDuration), "max_idle: is %v, must be 1m to 24h, or 0", c.MaxIdle)
	check(within(c.MaxPerTechnician, 1, 1000), "max_per_technician: is %d, must be 1 to 1000", c.MaxPerTechnician)
	check(within(c.MaxPerEndpoint, 1, 100), "max_per_endpoint: is %d, must be 1 to 100", c.MaxPerEndpoint)
	check(isMode(c.Consent), "consent: is %q, must be none, ask_allow or ask_deny", c.Consent)
	check(within(c.ConsentTimeout, MinConsent, MaxConsent), "consent_timeout: is %v, must be 5s to 10m", c.ConsentTimeout)
	return errors.Join(errs...)
}

func within[T int | int64 | time.Duration](v, least, most T) bool { return least <= v && v <= most }

func isMode(mode string) bool {
	return mode == signalling.ModeNone || mode == signalling.ModeAskAllow || mode == signalling.ModeAskDeny
}
