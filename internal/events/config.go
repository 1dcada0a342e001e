package events

import (
	"errors"
	"time"
)

// Config bounds those who follow what happens.
type Config struct {
	Followers int           `key:"followers" doc:"Streams of events (GET /v1/events) that may be open at the same time, before further ones are refused with 503; 1 to 1000."`
	Heartbeat time.Duration `key:"heartbeat" doc:"How often a stream of events says that it is alive while nothing happens; 1s to 1m."`
}

// Default returns the configuration for one management server.
func Default() Config { return Config{Followers: 64, Heartbeat: 15 * time.Second} }

// Validate returns all mistakes, each beginning with its key.
func (c Config) Validate() error {
	var errs []error
	if c.Followers < 1 || c.Followers > 1000 {
		errs = append(errs, errors.New("followers: must be 1 to 1000"))
	}
	if c.Heartbeat < time.Second || c.Heartbeat > time.Minute {
		errs = append(errs, errors.New("heartbeat: must be 1s to 1m"))
	}
	return errors.Join(errs...)
}
