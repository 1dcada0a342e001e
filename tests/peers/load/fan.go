package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/tests/peers/wire"
)

// arrivals counts sessions that got their one message.
type arrivals struct {
	all   int
	left  atomic.Int64
	twice atomic.Int64
	over  chan struct{}
	ended time.Time // set before over is closed
}

// expect counts one message for each of some sessions from now on, and answers every push with its receipt (XEP-0184).
func (f *fleet) expect(o wire.Order) (wire.Report, error) {
	a := &arrivals{over: make(chan struct{})}
	for _, c := range f.clients {
		c.got.Store(false)
		if o.From <= c.n && c.n < o.To {
			a.all++
		}
	}
	a.left.Store(int64(a.all))
	var h handler = func(c *client, what kind, item []byte) {
		if what != message || bytes.Equal(attribute(item, "type"), []byte("error")) {
			return
		}
		if bytes.Contains(item, []byte("<request xmlns='urn:xmpp:receipts'")) {
			_ = c.receipt(attribute(item, "id")) // the reader sees a lost connection
		}
		if c.n < o.From || c.n >= o.To {
			f.late.note(item)
			return
		}
		if c.got.Swap(true) {
			a.twice.Add(1)
			return
		}
		if a.left.Add(-1) == 0 {
			a.ended = time.Now()
			close(a.over)
		}
	}
	f.arrived = a
	f.handler.Store(&h)
	return wire.Report{Done: a.all}, nil
}

func (c *client) receipt(id []byte) error {
	b := append(make([]byte, 0, 160), "<message to='"...)
	b = append(b, c.fleet.set.domain...)
	b = append(b, "'><received xmlns='urn:xmpp:receipts' id='"...)
	b = append(b, id...)
	return c.write(append(b, "'/></message>"...))
}

// await waits until every session has its message.
func (f *fleet) await(wire.Order) (wire.Report, error) {
	a := f.arrived
	if a == nil {
		return wire.Report{}, errors.New("nothing is expected")
	}
	select {
	case <-a.over:
	case <-time.After(loopTimeout):
		return wire.Report{}, fmt.Errorf("%d sessions got nothing within %v", a.left.Load(), loopTimeout)
	}
	return wire.Report{Done: a.all, Failed: int(a.twice.Load()), Ended: a.ended}, nil
}

// fan lets one session of this process, which must hold From, write to the first To accounts.
func (f *fleet) fan(o wire.Order) (wire.Report, error) {
	var from *client
	for _, c := range f.clients {
		if c.n == o.From {
			from = c
		}
	}
	if from == nil {
		return wire.Report{}, fmt.Errorf("session %d is not here", o.From)
	}
	body := strings.Repeat("x", o.Size)
	r := wire.Report{Begun: time.Now()}
	for n := range o.To {
		text := "<message type='chat' to='" + userName(n) + "@" + f.set.domain + "/" + resource + "' id='f" + strconv.Itoa(n) + "'><body>" + body + "</body></message>"
		if err := from.write([]byte(text)); err != nil {
			return r, err
		}
		r.Done++
	}
	r.Ended = time.Now()
	return r, nil
}

// push posts one push for each of the accounts From..To-1 over a number of connections.
func (f *fleet) push(o wire.Order) (wire.Report, error) {
	var next, accepted atomic.Int64
	next.Store(int64(o.From))
	r := wire.Report{Begun: time.Now()}
	errs := make([]error, o.InFlight)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = post(o, &next, &accepted) })
	}
	wg.Wait()
	r.Ended = time.Now()
	r.Done, r.Failed = int(accepted.Load()), o.To-o.From-int(accepted.Load())
	return r, errors.Join(errs...)
}

// post posts pushes over one connection. It writes the requests itself: a full HTTP client would cost as much as the server.
func post(o wire.Order, next, accepted *atomic.Int64) error {
	conn, err := net.Dial("tcp", o.API)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	data := strings.Repeat("x", o.Size)
	for {
		n := int(next.Add(1)) - 1
		if n >= o.To {
			return nil
		}
		if _, err := submit(conn, answers, o, `{"to":"`+userName(n)+`","type":"bench.fan","payload":{"data":"`+data+`"}}`); err != nil {
			return fmt.Errorf("push for %s: %w", userName(n), err)
		}
		accepted.Add(1)
	}
}

// spread posts one push for all of the accounts From..To-1.
func (f *fleet) spread(o wire.Order) (wire.Report, error) {
	to := make([]string, 0, o.To-o.From)
	for n := o.From; n < o.To; n++ {
		to = append(to, userName(n))
	}
	conn, err := net.Dial("tcp", o.API)
	if err != nil {
		return wire.Report{}, err
	}
	defer conn.Close()
	body := `{"to":["` + strings.Join(to, `","`) + `"],"type":"bench.fan","payload":{"data":"` + strings.Repeat("x", o.Size) + `"}}`
	r := wire.Report{Begun: time.Now()}
	if o.Receipts {
		o.Token += "\r\nPrefer: wait=60" // a line behind that of the token
	}
	answer, err := submit(conn, bufio.NewReader(conn), o, body)
	r.Ended = time.Now()
	if err != nil {
		return r, err
	}
	var said struct{ Counts map[string]int }
	err = json.Unmarshal(answer, &said)
	r.Done = said.Counts["accepted"] + said.Counts["delivered"]
	r.Failed = len(to) - r.Done
	return r, err
}

// submit posts a push and returns the body of the answer, which must be 202.
func submit(conn net.Conn, answers *bufio.Reader, o wire.Order, body string) ([]byte, error) {
	request := "POST /v1/pushes HTTP/1.1\r\nHost: " + o.API + "\r\nAuthorization: Bearer " + o.Token +
		"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	if _, err := conn.Write([]byte(request)); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return nil, err
	}
	text := make([]byte, answer.ContentLength)
	if _, err := io.ReadFull(answers, text); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusAccepted {
		return nil, errors.New(answer.Status)
	}
	return text, nil
}
