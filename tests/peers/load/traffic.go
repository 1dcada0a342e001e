package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/tests/peers/wire"
)

// loopTimeout bounds a closed loop in which something got lost.
const loopTimeout = 3 * time.Minute

// acknowledgeEvery is how many stanzas a sender with XEP-0198 sends between its requests for an acknowledgement.
const acknowledgeEvery = 10

// sender sends stanzas with sequence numbers, a window of them under way.
type sender struct {
	from   *client
	window chan struct{}
	stanza func(seq int) []byte
}

// exchange runs closed loops: each sender does its share, and answered says of every stanza that comes to which sender it makes room.
func (f *fleet) exchange(o wire.Order, senders []*sender, answered func(c *client, what kind, item []byte) (sender int, seq int, ok bool)) (wire.Report, error) {
	share := o.Count / len(senders)
	var done, wrong atomic.Int64
	over := make(chan struct{})
	var h handler = func(c *client, what kind, item []byte) {
		i, seq, ok := answered(c, what, item)
		if !ok {
			return
		}
		if seq != c.next {
			wrong.Add(1)
		}
		c.next = seq + 1
		select {
		case <-senders[i].window:
		default: // an answer too many, which its number gives away
		}
		if done.Add(1) == int64(share*len(senders)) {
			close(over)
		}
	}
	for _, c := range f.clients {
		c.next = 0
	}
	f.handler.Store(&h)
	defer f.handler.Store(nil)
	r := wire.Report{Begun: time.Now()}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() { s.run(share, stop) })
	}
	var err error
	select {
	case <-over:
	case <-time.After(loopTimeout):
		err = fmt.Errorf("%d of %d came within %v", done.Load(), share*len(senders), loopTimeout)
	}
	r.Ended = time.Now()
	close(stop)
	wg.Wait()
	r.Done, r.Failed = int(done.Load()), int(wrong.Load())
	return r, err
}

// run sends count stanzas. A lost connection shows as answers that do not come.
func (s *sender) run(count int, stop chan struct{}) {
	for seq := range count {
		select {
		case s.window <- struct{}{}:
		case <-stop:
			return
		}
		b := s.stanza(seq)
		if s.from.managed && seq%acknowledgeEvery == acknowledgeEvery-1 {
			b = append(b, "<r xmlns='urn:xmpp:sm:3'/>"...)
		}
		if s.from.write(b) != nil {
			return
		}
	}
}

// messages lets each even session write to the next one.
func (f *fleet) messages(o wire.Order) (wire.Report, error) {
	senders := make([]*sender, len(f.clients)/2)
	place := map[*client]int{}
	body := strings.Repeat("x", o.Size)
	for i := range senders {
		from, to := f.clients[2*i], f.clients[2*i+1]
		place[to] = i
		head := "<message type='chat' to='" + to.address() + "' id='m"
		senders[i] = &sender{from: from, window: make(chan struct{}, o.Window), stanza: func(seq int) []byte {
			b := append(make([]byte, 0, 256+len(body)), head...)
			b = strconv.AppendInt(b, int64(seq), 10)
			return append(append(append(b, "'><body>"...), body...), "</body></message>"...)
		}}
	}
	return f.exchange(o, senders, func(c *client, what kind, item []byte) (int, int, bool) {
		i, ok := place[c]
		seq, right := number(item, 'm')
		return i, seq, ok && right && what == message
	})
}

// pings lets each session ping the server.
func (f *fleet) pings(o wire.Order) (wire.Report, error) {
	senders := make([]*sender, len(f.clients))
	place := map[*client]int{}
	head := "<iq type='get' to='" + f.set.domain + "' id='p"
	for i, c := range f.clients {
		place[c] = i
		senders[i] = &sender{from: c, window: make(chan struct{}, o.Window), stanza: func(seq int) []byte {
			b := append(make([]byte, 0, 160), head...)
			b = strconv.AppendInt(b, int64(seq), 10)
			return append(b, "'><ping xmlns='urn:xmpp:ping'/></iq>"...)
		}}
	}
	return f.exchange(o, senders, func(c *client, what kind, item []byte) (int, int, bool) {
		seq, right := number(item, 'p')
		return place[c], seq, right && what == iq && bytes.Equal(attribute(item, "type"), []byte("result"))
	})
}

// number reads the sequence number behind a letter in the id.
func number(item []byte, letter byte) (int, bool) {
	id := attribute(item, "id")
	if len(id) < 2 || id[0] != letter {
		return 0, false
	}
	n, err := strconv.Atoi(string(id[1:]))
	return n, err == nil
}

// spaces lets the sessions in turn send one space each, as keepalives are.
func (f *fleet) spaces(o wire.Order) (wire.Report, error) {
	const perSecond = 100
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	r := wire.Report{Begun: time.Now()}
	for r.Done < o.Count {
		<-tick.C
		for range max(1, o.Rate/perSecond) {
			if f.clients[r.Done%len(f.clients)].write([]byte(" ")) != nil {
				r.Failed++
			}
			r.Done++
		}
	}
	r.Ended = time.Now()
	return r, nil
}
