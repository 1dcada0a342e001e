// Package client is a technician's side of channels: terminals, files, processes and facts of an endpoint, for programs. Whoever makes one of its types owns the channel from
// then on.
package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"signalbox/internal/channel"
)

// errEnded is why a call fails when the endpoint has closed the channel.
var errEnded = errors.New("the endpoint has closed the channel")

// calls are the requests of one channel that wait for their answers, each with the id that it got. A is the type of an answer.
type calls[A any] struct {
	conn channel.Conn
	done chan struct{} // closed when there will be no more answers

	mu    sync.Mutex
	last  int
	open  map[int]*call[A]
	ended error // why done is closed
}

// call is a request that waits.
type call[A any] struct {
	result chan error // gets one

	mu   sync.Mutex
	take func(A) (last bool, err error) // nil: nobody waits any more
}

func newCalls[A any](conn channel.Conn) *calls[A] {
	return &calls[A]{conn: conn, open: map[int]*call[A]{}, done: make(chan struct{})}
}

// ask sends a request, which request gives an id, and has each answer taken by the goroutine that reads the channel until take says that it was the last. take is not called
// after ask has returned.
func (c *calls[A]) ask(ctx context.Context, request func(id int) any, take func(A) (last bool, err error)) error {
	waiting := &call[A]{take: take, result: make(chan error, 1)}
	id, err := c.begin(waiting)
	if err != nil {
		return err
	}
	defer c.end(id, waiting)
	if err := send(ctx, c.conn, request(id)); err != nil {
		return c.why(ctx, err)
	}
	select {
	case err := <-waiting.result:
		return err
	case <-c.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-waiting.result: // the last answer, and then the end
		return err
	default:
		return c.ended
	}
}

// lastWords is how long what the endpoint has said before the end of a channel may take to be read.
const lastWords = time.Second

// why returns why a request could not be sent: what the endpoint said of it comes before what the way says.
func (c *calls[A]) why(ctx context.Context, err error) error {
	t := time.NewTimer(lastWords)
	defer t.Stop()
	select {
	case <-c.done:
		return c.ended
	case <-t.C:
	case <-ctx.Done():
	}
	return err
}

func (c *calls[A]) begin(waiting *call[A]) (id int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return 0, c.ended
	}
	c.last++
	c.open[c.last] = waiting
	return c.last, nil
}

func (c *calls[A]) end(id int, waiting *call[A]) {
	c.mu.Lock()
	delete(c.open, id)
	c.mu.Unlock()
	waiting.mu.Lock()
	defer waiting.mu.Unlock()
	waiting.take = nil
}

// answer hands over an answer. It reports false if nobody waits: who asked has given up.
func (c *calls[A]) answer(id int, a A) bool {
	c.mu.Lock()
	waiting := c.open[id]
	c.mu.Unlock()
	if waiting == nil {
		return false
	}
	waiting.mu.Lock()
	defer waiting.mu.Unlock()
	if waiting.take == nil {
		return false
	}
	if last, err := waiting.take(a); last || err != nil {
		waiting.take = nil
		waiting.result <- err
	}
	return true
}

// stop ends all requests; io.EOF is an end by the endpoint.
func (c *calls[A]) stop(err error) {
	if errors.Is(err, io.EOF) {
		err = errEnded
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = err
	close(c.done)
}

// send sends a text message.
func send(ctx context.Context, conn channel.Conn, message any) error {
	text, err := channel.Encode(message)
	if err != nil {
		return err
	}
	return conn.Send(ctx, channel.Message{Text: true, Data: text})
}

// asker is a channel of requests and answers without bytes.
type asker[A any] struct {
	*calls[A]
	cancel context.CancelFunc
	reader sync.WaitGroup
}

// newAsker begins to read a channel: decode reads an answer and its id; refusal is an error in it.
func newAsker[A any](conn channel.Conn, decode func([]byte) (A, error), id func(A) (int, *channel.Error)) *asker[A] {
	ctx, stop := context.WithCancel(context.Background())
	a := &asker[A]{calls: newCalls[A](conn), cancel: stop}
	a.reader.Go(func() { a.stop(a.read(ctx, decode, id)) })
	return a
}

func (a *asker[A]) read(ctx context.Context, decode func([]byte) (A, error), id func(A) (int, *channel.Error)) error {
	for {
		m, err := a.conn.Receive(ctx)
		if err != nil {
			return err
		}
		if !m.Text {
			return channel.Refuse(channel.CodeInvalid, "bytes on a channel that has none")
		}
		answer, err := decode(m.Data)
		if err != nil {
			return err
		}
		n, refusal := id(answer)
		if n == 0 && refusal != nil {
			return refusal // of the channel itself
		}
		a.answer(n, answer)
	}
}

// Close closes the channel; requests that wait fail.
func (a *asker[A]) Close() error {
	err := a.conn.Close()
	a.cancel()
	a.reader.Wait()
	return err
}
