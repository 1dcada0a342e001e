package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/internal/bench/scram"
	"signalbox/tests/peers/wire"
)

// tries bounds how often one session tries to log in.
const tries = 5

// handler takes the stanzas of all sessions.
type handler func(c *client, what kind, item []byte)

// fleet is all sessions of this process. Orders come one at a time.
type fleet struct {
	set     settings
	keys    *scram.Keychain
	clients []*client
	readers sync.WaitGroup
	handler atomic.Pointer[handler]
	arrived *arrivals // of the last Expect
	late    delays
}

func newFleet(s settings) (*fleet, error) {
	if _, err := s.tlsConfig(false); err != nil {
		return nil, err
	}
	return &fleet{set: s, keys: scram.NewKeychain(s.password)}, nil
}

// userName is the name of the nth account.
func userName(n int) string { return fmt.Sprintf("u%05d", n) }

// login opens sessions, a bounded number at the same time.
func (f *fleet) login(o wire.Order) (wire.Report, error) {
	cfg, err := f.set.tlsConfig(o.Classic)
	if err != nil {
		return wire.Report{}, err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	r := wire.Report{Begun: time.Now()}
	numbers := make(chan int)
	for range o.InFlight {
		wg.Go(func() {
			for n := range numbers {
				c, again, err := f.insist(n, o, cfg)
				mu.Lock()
				r.Again += again
				if err != nil {
					r.Failed++
					r.Why = err.Error()
				} else {
					f.clients = append(f.clients, c)
					r.Done++
				}
				mu.Unlock()
			}
		})
	}
	for n := o.From; n < o.To; n++ {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	r.Ended = time.Now()
	return r, nil
}

// insist tries until the session is open.
func (f *fleet) insist(n int, o wire.Order, cfg *tls.Config) (c *client, again int, err error) {
	for again = range tries {
		ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
		c, err = f.connect(ctx, n, o, cfg)
		cancel()
		if err == nil {
			return c, again, nil
		}
	}
	return nil, again, err
}

// drop cuts all connections by a reset, as a failing router does, and forgets the sessions.
func (f *fleet) drop() wire.Report {
	r := wire.Report{Begun: time.Now(), Done: f.open()}
	f.handler.Store(nil)
	for _, c := range f.clients {
		_ = c.raw.SetLinger(0)
		_ = c.raw.Close() // not of TLS: nobody says goodbye
	}
	f.readers.Wait()
	f.clients = nil
	r.Ended = time.Now()
	return r
}

// open returns how many connections are open.
func (f *fleet) open() (n int) {
	for _, c := range f.clients {
		if c.open.Load() {
			n++
		}
	}
	return n
}
