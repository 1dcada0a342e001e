package main

import (
	"bytes"
	"strconv"
	"sync"
	"time"

	"signalbox/tests/peers/wire"
)

// delays are how long pushes were on their way that say when they were posted.
type delays struct {
	mu  sync.Mutex
	all []time.Duration
}

// note takes the push that is in a message.
func (d *delays) note(item []byte) {
	_, text, found := bytes.Cut(item, []byte(wire.AtField))
	if !found {
		return
	}
	end := bytes.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	at, err := strconv.ParseInt(string(text[:max(end, 0)]), 10, 64)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, time.Since(time.Unix(0, at)))
}

// take returns what was noted since the last time.
func (d *delays) take() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	return all
}
