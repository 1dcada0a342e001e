package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// errGone marks calls whose connection ended before the answer came.
var errGone = errors.New("the control connection ended")

// ErrBusy is the error of calls that find too many others waiting. The end of a session and a ping never get it: a session whose end were lost would relay on, and a
// TURN process that is not asked would be taken for one that hangs.
var ErrBusy = errors.New("the TURN process does not keep up with requests")

// maxCalls bounds the calls that wait for their answers, but for those that bounded excepts.
const maxCalls = 4096

// caller asks on one control connection. Run must run; all else may be called concurrently.
type caller struct {
	conn net.Conn
	done chan struct{} // closed when run ends
	wake chan struct{} // one element while queue is not empty

	mu      sync.Mutex
	number  uint64
	calls   int                      // those of call that wait and are bounded
	queue   []message                // not written yet
	pending map[uint64]func(message) // what to do with answers
}

func newCaller(c net.Conn) *caller {
	return &caller{conn: c, done: make(chan struct{}), wake: make(chan struct{}, 1), pending: map[uint64]func(message){}}
}

// run writes and reads until the connection ends, and closes it. It returns nil at an orderly end.
func (c *caller) run() error {
	var writing sync.WaitGroup
	stop := make(chan struct{})
	var errWrite error
	writing.Go(func() { // ended by stop or by the connection, waited for below
		if errWrite = c.write(stop); errWrite != nil {
			_ = c.conn.Close() // ends the reading, too
		}
	})
	err := c.read()
	close(stop)
	_ = c.conn.Close() // ends a write
	writing.Wait()
	close(c.done)
	if errWrite != nil {
		return errWrite
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (c *caller) read() error {
	r := bufio.NewReader(c.conn)
	for {
		m, err := readMessage(r)
		if err != nil {
			return err
		}
		c.mu.Lock()
		answer := c.pending[m.Number]
		delete(c.pending, m.Number)
		c.mu.Unlock()
		if answer == nil {
			return fmt.Errorf("%w: an answer to nothing", errMessage)
		}
		answer(m)
	}
}

func (c *caller) write(stop <-chan struct{}) error {
	var buf []byte
	for {
		select {
		case <-c.wake:
		case <-stop:
			return nil
		}
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, m := range queue {
			var err error
			if buf, err = appendMessage(buf[:0], m); err != nil {
				return err
			}
			if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return err
			}
			if _, err := c.conn.Write(buf); err != nil {
				return fmt.Errorf("write %s: %w", m.Do, err)
			}
		}
	}
}

// post asks without waiting; answer is called once from the reading goroutine, unless the connection ends before. It must not block.
func (c *caller) post(m message, answer func(message)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.postLocked(m, answer)
}

func (c *caller) postLocked(m message, answer func(message)) {
	c.number++
	m.Number = c.number
	c.pending[m.Number] = answer
	c.queue = append(c.queue, m)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// call asks and waits for the answer. The error is that of ctx, ErrBusy, errGone, or what the other end says.
func (c *caller) call(ctx context.Context, m message) (message, error) {
	got := make(chan message, 1)
	if err := c.enqueue(m, func(m message) { got <- m }); err != nil {
		return message{}, err
	}
	defer c.leave(m)
	select {
	case answer := <-got:
		if answer.Error != "" {
			return message{}, errors.New(answer.Error)
		}
		return answer, nil
	case <-c.done:
		return message{}, errGone
	case <-ctx.Done():
		return message{}, ctx.Err()
	}
}

// enqueue is post with a place among the calls, which leave gives back.
func (c *caller) enqueue(m message, answer func(message)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bounded(m) {
		if c.calls >= maxCalls {
			return ErrBusy
		}
		c.calls++
	}
	c.postLocked(m, answer)
	return nil
}

func (c *caller) leave(m message) {
	if !bounded(m) {
		return
	}
	c.mu.Lock()
	c.calls--
	c.mu.Unlock()
}

// bounded tells whether maxCalls holds for a message. There is one ping at a time, and no more ends than sessions.
func bounded(m message) bool { return m.Do != doEnd && m.Do != doPing }
