package technician

import (
	"fmt"
	"time"
)

// Config bounds sign-ins; part of the section console.
type Config struct {
	Lifetime time.Duration `key:"lifetime" doc:"How long a technician stays signed in at most; 5m to 720h."`
	Idle     time.Duration `key:"idle" doc:"How long a technician stays signed in without doing anything; 1m to lifetime."`
}

// Default returns a working day, and half an hour.
func Default() Config { return Config{Lifetime: 12 * time.Hour, Idle: 30 * time.Minute} }

// Validate returns all mistakes, each beginning with its key.
func (c Config) Validate() error {
	if c.Lifetime < 5*time.Minute || c.Lifetime > 720*time.Hour {
		return fmt.Errorf("lifetime: is %v, must be 5m to 720h", c.Lifetime)
	}
	if c.Idle < time.Minute || c.Idle > c.Lifetime {
		return fmt.Errorf("idle: is %v, must be 1m to lifetime, %v", c.Idle, c.Lifetime)
	}
	return nil
}
