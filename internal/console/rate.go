package console

import (
	"sync"
	"time"
)

// rate is how many requests one caller may make: burst at once, and so many each second over time.
type rate struct {
	burst, each float64
}

var (
	strangers = rate{burst: 30, each: 1}
	members   = rate{burst: 200, each: 20}
)

// maxCallers is of how many callers it is remembered what they have left. Beyond, all are forgotten: who was refused goes on, once.
const maxCallers = 10_000

// rates bounds requests by caller. All methods may be called concurrently.
type rates struct {
	now func() time.Time

	mu   sync.Mutex
	left map[string]allowance
}

type allowance struct {
	tokens float64
	at     time.Time
}

func newRates() *rates { return &rates{now: time.Now, left: map[string]allowance{}} }

// take counts a request. Where there may be none now it says how long to wait.
func (r *rates) take(caller string, of rate) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	a, known := r.left[caller]
	if !known {
		if len(r.left) >= maxCallers {
			clear(r.left)
		}
		a = allowance{tokens: of.burst, at: now}
	}
	a.tokens = min(of.burst, a.tokens+of.each*now.Sub(a.at).Seconds())
	a.at = now
	if a.tokens < 1 {
		wait = time.Duration((1 - a.tokens) / of.each * float64(time.Second))
	} else {
		a.tokens--
	}
	r.left[caller] = a
	return wait
}
