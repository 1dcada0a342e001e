package webhook

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds how long a receiver may have us wait.
const maxRetryAfter = 24 * time.Hour

// schedule says how long to wait after so many failures in a row.
type schedule interface {
	// pause is the wait after the nth failure, 1 the first; false: there is no further attempt.
	pause(n int) (time.Duration, bool)
	// longest is a wait that no pause exceeds.
	longest() time.Duration
}

// steps is a schedule that ends.
type steps []time.Duration

func (s steps) pause(n int) (time.Duration, bool) {
	if n > len(s) {
		return 0, false
	}
	return jitter(s[max(n, 1)-1]), true
}

func (s steps) longest() time.Duration { return lateBy(slices.Max(s)) }

// doubling is a schedule that begins with a second, doubles up to its value and never ends.
type doubling time.Duration

func (d doubling) pause(n int) (time.Duration, bool) {
	wait := time.Second << min(max(n, 1)-1, 20)
	return jitter(min(wait, time.Duration(d))), true
}

func (d doubling) longest() time.Duration { return lateBy(time.Duration(d)) }

// lateBy is the longest wait that jitter makes of one.
func lateBy(d time.Duration) time.Duration { return d + d/10 + 1 }

// jitter makes a wait up to a tenth shorter or longer, so that those who failed at the same time do not come back at the same time.
func jitter(d time.Duration) time.Duration {
	tenth := d / 10
	return d - tenth + rand.N(2*tenth+1)
}

// retryAfter reads the header of RFC 9110 section 10.2.3; 0: there is none that can be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
