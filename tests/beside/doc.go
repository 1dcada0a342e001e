// Package beside holds what suites share that measure Signalbox beside other programs: processes, what they take of the machine, results, and their table in a document.
package beside

import (
	"context"
	"time"
)

// Pause waits, unless ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
