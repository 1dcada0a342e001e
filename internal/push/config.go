package push

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds what waits for an endpoint and what is on the way to it.
type Config struct {
	Window      int           `key:"window" doc:"Pushes that may be on the way to one endpoint without a receipt, 1 to 1024."`
	QueueCount  int           `key:"queue_count" doc:"Pushes that may wait for one endpoint, 1 to 10000; one more is refused."`
	QueueBytes  int           `key:"queue_bytes" doc:"Bytes of payload that may wait for one endpoint, at least 65536; a push beyond it is refused."`
	QueuePolicy string        `key:"queue_policy" doc:"What happens to a push for an endpoint whose queue is full: reject refuses it; drop_oldest rejects waiting ones of the same or a lower priority in its place, and tells the endpoint by a push of type signalbox.resync."`
	MaxTargets  int           `key:"max_targets" doc:"Endpoints that a push to a group or to labels may reach, 1 to 1000000; one that matches more is refused."`
	DefaultTTL  time.Duration `key:"default_ttl" doc:"How long a push lives whose request names no ttl, 0s to 672h; 0s means now or never."`
}

// The values of QueuePolicy.
const (
	Reject     = "reject"
	DropOldest = "drop_oldest"
)

const (
	maxTargets    = 1_000_000
	maxWindow     = 1024
	maxQueueCount = 10000 // each acceptance counts what waits
)

// Default returns the configuration of an installation that sets nothing.
func Default() Config {
	return Config{Window: 32, QueueCount: 1000, QueueBytes: 4 << 20, QueuePolicy: Reject, MaxTargets: 100_000, DefaultTTL: DefaultTTL}
}

// Validate returns all mistakes, each beginning with the key it is about.
func (c Config) Validate() error {
	var errs []error
	if c.Window < 1 || c.Window > maxWindow {
		errs = append(errs, fmt.Errorf("window: must be 1 to %d", maxWindow))
	}
	if c.QueueCount < 1 || c.QueueCount > maxQueueCount {
		errs = append(errs, fmt.Errorf("queue_count: must be 1 to %d", maxQueueCount))
	}
	if c.QueueBytes < MaxPayloadBytes {
		errs = append(errs, fmt.Errorf("queue_bytes: must be at least %d, the largest payload", MaxPayloadBytes))
	}
	if c.QueuePolicy != Reject && c.QueuePolicy != DropOldest {
		errs = append(errs, errors.New("queue_policy: must be "+Reject+" or "+DropOldest))
	}
	if c.MaxTargets < 1 || c.MaxTargets > maxTargets {
		errs = append(errs, fmt.Errorf("max_targets: must be 1 to %d", maxTargets))
	}
	if c.DefaultTTL < 0 || c.DefaultTTL > MaxTTL {
		errs = append(errs, fmt.Errorf("default_ttl: must be 0s to %s", MaxTTL))
	}
	return errors.Join(errs...)
}
