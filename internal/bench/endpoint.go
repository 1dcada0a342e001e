package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/internal/bench/scram"
	"signalbox/xmpp/scan"
)

// endpoint is one of those that are played.
type endpoint struct {
	id      string
	profile Profile
	keys    *scram.Keychain
	fleet   *fleet

	up atomic.Bool // has a session, as far as it knows

	mu sync.Mutex
	st *stream // of the session; nil: none

	// Of the session, owned by whoever connects and then by the reader, which is waited for in between.
	resumeID string // empty: there is none to resume
	received uint32 // stanzas since it was bound
	reader   sync.WaitGroup
}

// connect resumes the session, or logs in and begins one, and leaves a reader on it. It returns how long that took.
func (e *endpoint) connect(ctx context.Context) (took time.Duration, err error) {
	e.reader.Wait()
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	begun := time.Now()
	st, err := dial(ctx, e.fleet.Addr, e.fleet.TLS)
	if err != nil {
		return 0, err
	}
	deadline, _ := ctx.Deadline()
	_ = st.raw.SetDeadline(deadline)
	if err := e.enter(st); err != nil {
		st.cut()
		return 0, err
	}
	_ = st.raw.SetDeadline(time.Time{})
	took = time.Since(begun)
	e.mu.Lock()
	e.st = st
	e.mu.Unlock()
	e.up.Store(true)
	e.reader.Go(func() { // ends with the connection, which cut and leave close
		defer e.up.Store(false)
		e.read(st)
	})
	return took, nil
}

func (e *endpoint) enter(st *stream) error {
	if err := st.authenticate(e.fleet.Domain, e.id, e.keys); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if e.resumeID != "" {
		ok, err := st.resume(e.resumeID, e.received)
		if err != nil {
			return fmt.Errorf("resume: %w", err)
		}
		if ok {
			e.fleet.resumptions.Add(1)
			return nil
		}
	}
	id, err := st.bind()
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	e.resumeID, e.received = id, 0
	return nil
}

// read takes what the server sends until the connection is over.
func (e *endpoint) read(st *stream) {
	deaf := make(<-chan time.Time) // never
	if e.profile == HalfOpen {
		timer := time.NewTimer(about(e.fleet.Duration / 2))
		defer timer.Stop()
		deaf = timer.C
	}
	for {
		ev, err := st.next()
		if err != nil {
			return
		}
		select {
		case <-deaf: // it reads no more, and nobody hears of it
			return
		default:
		}
		if ev.Kind != scan.TopLevel || e.take(st, &ev.Stanza) != nil {
			return
		}
	}
}

func (e *endpoint) take(st *stream, s *scan.Stanza) error {
	switch {
	case s.Is(nsManagement, "r"):
		return st.send(fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsManagement, e.received))
	case s.Kind == scan.Nonza:
		return nil
	}
	e.received++
	switch {
	case s.Kind == scan.IQ && string(s.Type()) == "get": // the server's ping
		return st.send("<iq type='result' id='" + string(s.ID()) + "' to='" + e.fleet.Domain + "'/>")
	case s.Kind == scan.Message && s.Element().Child(nsPush, "push").Exists():
		id := string(s.ID())
		e.fleet.book.arrived(id)
		if e.profile == Slow && !sleep(e.fleet.playing, rand.N(slowTakes)) {
			return errors.New("over")
		}
		return st.send("<message to='" + e.fleet.Domain + "'><received xmlns='urn:xmpp:receipts' id='" + id + "'/></message>")
	}
	return nil
}

// behave does what the profile does by itself, until ctx ends.
func (e *endpoint) behave(ctx context.Context) {
	wait := keepalive
	if e.profile == Flaky {
		wait = flakyLives
	}
	for sleep(ctx, about(wait)) {
		switch e.profile {
		case Flaky:
			e.cut()
			if !sleep(ctx, rand.N(flakyAway)) {
				return
			}
			if _, err := e.connect(ctx); err != nil && ctx.Err() == nil {
				e.fleet.failures.Add(1)
			}
		case Steady, Slow:
			e.say("<r xmlns='" + nsManagement + "'/>")
		}
	}
}

// say writes to the session, if there is one; the reader sees a lost connection.
func (e *endpoint) say(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.st != nil {
		_ = e.st.raw.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_ = e.st.send(text)
	}
}

// cut loses the connection, if there is one.
func (e *endpoint) cut() {
	e.mu.Lock()
	st := e.st
	e.st = nil
	e.mu.Unlock()
	if st != nil {
		st.cut()
		e.reader.Wait()
	}
}
