package agent

import (
	"sync"
	"time"
)

// Bounds of what the agent learns about connections that are cut while they are silent.
const (
	minPulse = 10 * time.Second // it asks no more often than that, unless it is configured to
	minIdle  = 5 * time.Second  // a connection that ended sooner after its last byte was not cut for its silence
)

// pulse says how often the server is asked for a sign of life. Proxies, firewalls and address translators forget connections that are silent for a while: two that ended
// after about the same silence, one after the other on the same way, are cut so, and the agent asks more often from then on. The zero value needs configured.
type pulse struct {
	configured time.Duration

	mu   sync.Mutex
	via  string        // the way that the rest is about
	idle time.Duration // silence after which the newest connection ended; 0: it ended otherwise
	own  time.Duration // what was learned; 0: nothing
}

// interval returns how often to ask on a way.
func (p *pulse) interval(via string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.own == 0 || via != p.via {
		return p.configured
	}
	return p.own
}

// learn takes over what an earlier run of the agent learned.
func (p *pulse) learn(via string, interval time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if interval < p.configured && interval >= minPulse {
		p.via, p.own = via, interval
	}
}

// ended takes the silence after which a connection was lost; 0 if it was not lost, or not in silence. It returns true if the agent asks more often from now on.
func (p *pulse) ended(via string, idle time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if via != p.via {
		p.via, p.idle, p.own = via, 0, 0
	}
	before := p.idle
	p.idle = 0
	if idle < minIdle {
		return false
	}
	p.idle = idle
	low, high := min(before, idle), max(before, idle)
	if low == 0 || high-low > high/5 {
		return false
	}
	current := p.configured
	if p.own != 0 {
		current = p.own
	}
	next := max(low*2/3, minPulse)
	if next >= current {
		return false
	}
	p.own, p.idle = next, 0
	return true
}
