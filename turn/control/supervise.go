package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/internal/telemetry"
)

// Times of supervision.
const (
	pingEvery   = 5 * time.Second
	pingTimeout = 15 * time.Second // a TURN process that does not answer that long hangs: it is ended
	steady      = 30 * time.Second // one that was there that long is started again at once
	firstPause  = 100 * time.Millisecond
	longPause   = 10 * time.Second
)

// Run keeps the TURN process at work until ctx ends: it starts it, or connects to it, again and again, and tells it of all that is open. It returns when the child
// has ended, and closes the sockets. It must be called once.
func (c *Client) Run(ctx context.Context) error {
	pause := backoff{low: firstPause, high: longPause}
	for ctx.Err() == nil {
		began := time.Now()
		err := c.attend(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > steady {
			pause.reset()
		}
		c.metrics.losses.Inc()
		c.log.Warn("the TURN process is gone; XMPP is not touched, relayed connections are cut, and sessions go on when it is back", telemetry.Cause(err))
		pause.wait(ctx)
	}
	return c.way.close()
}

// attend leads one TURN process from its start to its end. The error says why it ended.
func (c *Client) attend(ctx context.Context) (err error) {
	conn, end, err := c.way.connect(ctx)
	if err != nil {
		return err
	}
	p := newCaller(conn)
	ended := make(chan error, 1)
	go func() { ended <- p.run() }() // ended by the close below, waited for there
	defer func() {
		c.leave(p)
		_ = conn.Close() // which a child takes as its end
		if errRun := <-ended; err == nil {
			err = errRun
		}
		end()
	}()
	h, err := c.greet(ctx, p)
	if err != nil {
		return err
	}
	c.enter(p, h)
	c.log.Info("the TURN process is ready", telemetry.Count(c.open()))
	return c.watch(ctx, p)
}

// greet introduces this server.
func (c *Client) greet(ctx context.Context, p *caller) (hello, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	answer, err := p.call(ctx, message{Do: doHello, Hello: &hello{Version: protocolVersion, Owner: c.owner, Own: everywhere(c.listeners, localAddrs())}})
	switch {
	case err != nil:
		return hello{}, fmt.Errorf("greet the TURN process: %w", err)
	case answer.Hello == nil || answer.Hello.Version != protocolVersion:
		return hello{}, errors.New("the TURN process is of another version: install the same one on both hosts")
	}
	return *answer.Hello, nil
}

// watch sees that the TURN process answers, until it does not, is gone, or ctx ends.
func (c *Client) watch(ctx context.Context, p *caller) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-p.done:
			return errGone
		case <-ctx.Done():
			return nil
		}
		if c.keys.rotateIfDue(time.Now()) {
			c.tellSecrets(p)
		}
		if err := ping(ctx, p); err != nil {
			return err
		}
	}
}

func ping(ctx context.Context, p *caller) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if _, err := p.call(ctx, message{Do: doPing}); err != nil {
		return fmt.Errorf("ping the TURN process: %w", err)
	}
	return nil
}

// enter tells the TURN process of everything that is open, and from then on of each change: all in one queue, so that nothing overtakes.
func (c *Client) enter(p *caller, h hello) {
	c.keys.rotateIfDue(time.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellSecrets(p)
	owned := message{Do: doSync}
	now := time.Now()
	for id, r := range c.sessions {
		if h.Instance != c.instance {
			r.before, r.last = r.total(), Counters{}
			r.before.Open = 0
		}
		if r.session.Expires.After(now) {
			owned.IDs = append(owned.IDs, id)
			s := r.session
			p.post(message{Do: doOpen, Session: &s}, c.complain("open"))
		}
	}
	p.post(owned, func(answer message) { // the last of all: what is open is open there, too
		c.complain("sync")(answer)
		c.sayReturned()
	})
	c.lost = c.lost || c.instance != "" && h.Instance != c.instance
	c.instance, c.peer = h.Instance, p
	if h.Listen != nil {
		c.listen = h.Listen
	}
	close(c.back)
	c.back = make(chan struct{})
}

// sayReturned tells whoever wants to know that a TURN process serves the sessions of one that is lost.
func (c *Client) sayReturned() {
	c.mu.Lock()
	lost := c.lost
	c.lost = false
	c.mu.Unlock()
	if lost && c.returned != nil {
		c.returned()
	}
}

// leave has everybody know that a TURN process is gone.
func (c *Client) leave(p *caller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peer == p {
		c.peer = nil
	}
}

// open returns how many sessions there are.
func (c *Client) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}

func (c *Client) tellSecrets(p *caller) {
	s := c.keys.secrets()
	p.post(message{Do: doSecrets, Secrets: &s}, c.complain("secrets"))
}

// complain returns what logs an answer that is a refusal.
func (c *Client) complain(what string) func(message) {
	return func(m message) {
		if m.Error != "" {
			c.log.Error("the TURN process refuses what it is told", telemetry.Method(what), telemetry.Detail(m.Error))
		}
	}
}
