package endpoint

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	probeWait = 1800 * time.Millisecond // for a sign of life, so that the caller has its answer within 2 seconds (SPEC section 9)
	maxProbes = 1024                    // at the same time
)

// ErrProbes says that too many endpoints are probed at the moment.
var ErrProbes = errors.New("too many endpoints are probed at the same time")

// ProbeState is what a probe found.
type ProbeState string

// What a probe finds.
const (
	ProbeOnline       ProbeState = "online"       // bytes came from it after it was asked
	ProbeUnresponsive ProbeState = "unresponsive" // it has a session and said nothing in time; it counts as online until its liveness time is over
	ProbeOffline      ProbeState = "offline"      // it has no session, or one that lost its connection
)

// Probed is the answer to a probe.
type Probed struct {
	State ProbeState
	At    time.Time     // when it was asked
	RTT   time.Duration // from then to the first bytes; of ProbeOnline alone
}

// Probe asks the endpoint's session on this node for a sign of life and waits for bytes from it, 1.8 seconds at most. Callers that probe one endpoint at the same time
// share one question. Errors: ErrProbes, that of ctx.
func (r *Registry) Probe(ctx context.Context, k Key) (Probed, error) {
	at := clock()
	s, ok := r.Session(k)
	if !ok {
		r.metrics.probes.WithLabelValues(string(ProbeOffline)).Inc()
		return Probed{State: ProbeOffline, At: at}, nil
	}
	p := r.probe(s)
	if p == nil {
		return Probed{}, ErrProbes
	}
	alive := p.wait(ctx)
	if err := ctx.Err(); err != nil && !alive {
		return Probed{}, err
	}
	out := Probed{State: ProbeOnline, At: p.asked.UTC().Truncate(time.Microsecond), RTT: p.rtt}
	if !alive {
		out.State, out.RTT = r.unanswered(k, p.asked)
	}
	r.metrics.probes.WithLabelValues(string(out.State)).Inc()
	return out, nil
}

// unanswered says what an endpoint is whose session did not answer: another one may have begun meanwhile.
func (r *Registry) unanswered(k Key, asked time.Time) (ProbeState, time.Duration) {
	now, ok := r.Live(k)
	switch {
	case !ok || now.State != StateOnline:
		return ProbeOffline, 0
	case now.LastHeard.After(asked):
		return ProbeOnline, now.LastHeard.Sub(asked)
	}
	return ProbeUnresponsive, 0
}

// probes are the questions that wait for an answer, one for each session.
type probes struct {
	mu      sync.Mutex
	running map[Session]*probe
}

// probe is one question. Its fields but asked are read once done is closed.
type probe struct {
	asked time.Time
	done  chan struct{}
	timer *time.Timer // ends it; set before anybody can

	alive bool
	rtt   time.Duration
}

// wait waits for the answer; a nil probe has none.
func (p *probe) wait(ctx context.Context) (alive bool) {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return p.alive
	case <-ctx.Done():
		return false
	}
}

// probe asks a session, or joins whoever asks it already; nil: there are too many.
func (r *Registry) probe(s Session) *probe {
	r.probes.mu.Lock()
	p, ok := r.probes.running[s]
	if ok || len(r.probes.running) >= maxProbes {
		r.probes.mu.Unlock()
		return p
	}
	p = &probe{asked: time.Now(), done: make(chan struct{})}
	p.timer = time.AfterFunc(probeWait, func() { r.answered(s, p, false) })
	r.probes.running[s] = p
	r.probes.mu.Unlock()
	pinger, ok := s.(Pinger)
	if !ok || !pinger.Ping(func(alive bool) { r.answered(s, p, alive) }) {
		r.answered(s, p, false)
	}
	return p
}

// answered ends a probe, once.
func (r *Registry) answered(s Session, p *probe, alive bool) {
	r.probes.mu.Lock()
	defer r.probes.mu.Unlock()
	if r.probes.running[s] != p {
		return
	}
	delete(r.probes.running, s)
	p.timer.Stop()
	p.alive, p.rtt = alive, time.Since(p.asked)
	close(p.done)
}
