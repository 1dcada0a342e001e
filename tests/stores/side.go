package stores

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signalbox/internal/push"
)

const (
	domain     = "push.example"
	pushType   = "demo.ping"
	ttl        = 24 * time.Hour
	payloadLen = 512
	readLimit  = 32 // pushes of one read: as many as may be on the way to one endpoint
)

// payload is a JSON object of payloadLen bytes.
func payload() []byte {
	const around = `{"x":""}`
	return []byte(`{"x":"` + strings.Repeat("x", payloadLen-len(around)) + `"}`)
}

// subject is the id of the nth endpoint.
func subject(n int) string { return fmt.Sprintf("pc-%06d", n) }

// delivery is a push on its way to an endpoint.
type delivery struct {
	id int64
	to int
}

// measured is what is timed. All methods may be called concurrently, and return when what they wrote is on stable storage.
type measured interface {
	push(ctx context.Context, to int) (delivery, error)
	acknowledge(ctx context.Context, d delivery) error
	waiting(ctx context.Context, to int) (int, error)
}

// prepared is what brings about the state that something is measured in, as quickly as the side can.
type prepared interface {
	fill(ctx context.Context, to []int) ([]delivery, error)
	advance(ctx context.Context, ds []delivery, state push.State) error
	settle(ctx context.Context) error // does what the side would do by itself in quiet times
	forget(ctx context.Context) error // deletes all pushes that are final and all events, as retention does
}

// side is one of the two, running, with all endpoints.
type side interface {
	measured
	prepared
	count(ctx context.Context) (pushes, events int, err error)
	size(ctx context.Context) (int64, error) // bytes of everything but free space in logs
	server() (time.Duration, error)          // CPU time of its processes beside this one
	stop() error
}

// batches cuts a list.
func batches[T any](all []T, size int, f func([]T) error) error {
	for len(all) > 0 {
		n := min(size, len(all))
		if err := f(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}
