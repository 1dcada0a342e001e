package datapath

import (
	"net"
	"sync"
	"time"
)

// Bounds of what waits for a client that reads slowly: bytes beside those that are being written, and how long one write may take.
const (
	queueSize = 256 << 10
	writeTime = 10 * time.Second
)

// queue is the frames that wait for a stream. Its goroutine lives only while there are any: push starts it, it ends when the queue is empty or a write failed, close
// waits for it.
type queue struct {
	conn net.Conn
	run  func() // write, made once

	mu      sync.Mutex
	waiting *[]byte // nil: nothing
	writing bool
	closed  bool
	writer  sync.WaitGroup

	deadline time.Time // owned by the writing goroutine
}

func (q *queue) init(c net.Conn) { q.conn, q.run = c, q.write }

var outputs = sync.Pool{New: func() any { return new([]byte) }}

// push appends a frame, padded to a multiple of 4 (RFC 8656 section 12.5), for whoever writes next; false: there is no room, or no connection any more.
func (q *queue) push(frame []byte) bool {
	var zero [3]byte
	padding := zero[:-len(frame)&3]
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if q.waiting == nil {
		q.waiting = outputs.Get().(*[]byte)
	}
	if len(*q.waiting)+len(frame)+len(padding) > queueSize {
		return false
	}
	*q.waiting = append(append(*q.waiting, frame...), padding...)
	if !q.writing {
		q.writing = true
		q.writer.Add(1)
		go q.run()
	}
	return true
}

// write writes all that waits at once, and again, until nothing does.
func (q *queue) write() {
	defer q.writer.Done()
	for b := q.next(); b != nil; b = q.next() {
		err := q.extend(time.Now())
		if err == nil {
			_, err = q.conn.Write(*b)
		}
		*b = (*b)[:0]
		outputs.Put(b)
		if err != nil {
			q.fail()
			return
		}
	}
}

func (q *queue) next() *[]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.waiting
	q.waiting = nil
	q.writing = b != nil
	return b
}

// extend moves the write deadline, which has its price, only if it comes close.
func (q *queue) extend(now time.Time) error {
	if q.deadline.Sub(now) > writeTime-slack {
		return nil
	}
	q.deadline = now.Add(writeTime)
	return q.conn.SetWriteDeadline(q.deadline)
}

// fail ends the connection, and the reading goroutine with it.
func (q *queue) fail() {
	q.mu.Lock()
	q.closed, q.writing = true, false
	q.mu.Unlock()
	_ = q.conn.Close()
}

// close closes the connection and waits for the writer.
func (q *queue) close() {
	q.fail()
	q.writer.Wait()
}
