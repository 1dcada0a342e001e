package relay

import (
	"errors"
	"time"
)

// Config bounds the relay. The zero value is not valid: see Default.
type Config struct {
	MaxPairs     int           `key:"max_pairs" doc:"Channels that are relayed or waited for at a time, 1 to 100000; each takes up to 160 KiB while bytes flow."`
	PairsOfOne   int           `key:"pairs_per_session" doc:"Of these by one remote session, 1 to 256."`
	StallTimeout time.Duration `key:"stall_timeout" doc:"How long a side may take nothing while there is something for it, 10s to 1h."`
	PingInterval time.Duration `key:"ping_interval" doc:"How often a side that is silent is asked for a sign of life, 5s to 10m. One that gives none within the same time is lost."`
}

// Default returns the configuration of a server that was told nothing.
func Default() Config {
	return Config{MaxPairs: 2000, PairsOfOne: 16, StallTimeout: 2 * time.Minute, PingInterval: 30 * time.Second}
}

// Validate returns all mistakes joined, each beginning with its key, or nil.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New(text))
		}
	}
	check(c.MaxPairs >= 1 && c.MaxPairs <= 100_000, "max_pairs: must be 1 to 100000")
	check(c.PairsOfOne >= 1 && c.PairsOfOne <= 256, "pairs_per_session: must be 1 to 256")
	check(c.StallTimeout >= 10*time.Second && c.StallTimeout <= time.Hour, "stall_timeout: must be 10s to 1h")
	check(c.PingInterval >= 5*time.Second && c.PingInterval <= 10*time.Minute, "ping_interval: must be 5s to 10m")
	return errors.Join(errs...)
}
