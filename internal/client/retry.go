package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

const (
	defaultTries = 4
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// repeatable reports whether the request may be sent again after this error: whatever happened to it, doing it twice must be the same as doing it once.
//
// A connection that was never made carried nothing. An answer 503 says that nothing was done, but it may come from something between that knows nothing of
// it, so a POST is repeated only with an Idempotency-Key. A connection that broke later, be it in the middle of the answer, may have carried the request.
func (r call) repeatable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	var p *Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusServiceUnavailable && (r.method != http.MethodPost || r.key != "") || p.Code == "idempotency_in_progress"
	}
	var network net.Error
	broken := errors.Is(err, io.ErrUnexpectedEOF) || (errors.As(err, &network) && !network.Timeout())
	return broken && (r.method == http.MethodGet || r.key != "")
}

// backoff is how long to wait before the next try: doubling, with jitter, and as long as the server asks, within bounds.
func backoff(try int, err error) time.Duration {
	d := firstPause << (try - 1)
	d = d/2 + rand.N(d/2+1)
	var p *Problem
	if errors.As(err, &p) {
		d = max(d, p.RetryAfter)
	}
	return min(d, longestPause)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
