package main

import (
	"time"

	"signalbox/tests/turnbench/wire"
)

const (
	lostAfter  = 50 * time.Millisecond  // without news, when packets are missing
	quietAfter = 300 * time.Millisecond // the same at the end of a flow
)

// flow moves packets through what is open. Packets that are lost are told by their number: after a silence, what is missing is lost.
func (f *fleet) flow(o wire.Order) (wire.Report, error) {
	all, err := f.senders(o)
	if err != nil {
		return wire.Report{}, err
	}
	c := counter{tally: f.tally, right: f.tally.right.Load(), wrong: f.tally.wrong.Load()}
	r := wire.Report{Begun: time.Now()}
	for i, sent := 0, 0; sent < o.Count; i++ {
		n := min(o.Burst, o.Count-sent)
		if o.Rate > 0 {
			time.Sleep(time.Until(r.Begun.Add(time.Duration(sent) * time.Second / time.Duration(o.Rate))))
		} else {
			c.await(sent-max(0, o.Window-n), lostAfter)
		}
		if err := all[i%len(all)](n); err != nil {
			return r, err
		}
		sent += n
	}
	r.Ended = c.await(o.Count, quietAfter)
	r.Done, r.Wrong, r.Lost = c.came(), int(f.tally.wrong.Load()-c.wrong), c.lost
	return r, nil
}

// counter is where the tally stood when a flow began.
type counter struct {
	*tally
	right, wrong int64
	lost         int
}

func (c *counter) came() int { return int(c.tally.right.Load() - c.right) }

// await waits until so many packets have come or are lost, and returns when that was.
func (c *counter) await(want int, patience time.Duration) (last time.Time) {
	last = time.Now()
	for c.came()+c.lost < want {
		select {
		case <-c.news:
			last = time.Now()
		case <-time.After(patience):
			c.lost = max(c.lost, want-c.came())
		}
	}
	return last
}
