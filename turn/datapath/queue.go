package datapath

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"time"

	"signalbox/turn/wire"
)

// Bounds of what waits for a client that reads slowly: bytes beside those that are being written, those of one write, and how long that may take.
const (
	queueSize = 256 << 10
	pieceSize = 16 << 10
	writeTime = 10 * time.Second
)

// queue is the frames that wait for a stream. Its goroutine lives only while there are any: push starts it, it ends when the queue is empty or a write failed, close
// waits for it.
type queue struct {
	conn net.Conn
	run  func() // write, made once

	mu      sync.Mutex
	waiting []*[]byte // pieces of whole frames
	size    int       // bytes in them
	writing bool
	closed  bool
	writer  sync.WaitGroup

	deadline time.Time // owned by the writing goroutine
}

func (q *queue) init(c net.Conn) { q.conn, q.run = c, q.write }

var outputs = sync.Pool{New: func() any {
	b := make([]byte, 0, pieceSize)
	return &b
}}

// push appends a frame, padded to a multiple of 4 (RFC 8656 section 12.5), for whoever writes next; false: there is no room, or no connection any more, or the
// allocation that the frame is of is closed. a is nil for answers.
func (q *queue) push(frame []byte, a *Allocation) bool {
	var zero [3]byte
	padding := zero[:-len(frame)&3]
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(frame) + len(padding)
	if q.closed || a != nil && a.closed.Load() || q.size+n > queueSize {
		return false
	}
	p := q.pieceLocked(n)
	*p = append(append(*p, frame...), padding...)
	q.size += n
	if !q.writing {
		q.writing = true
		q.writer.Add(1)
		go q.run()
	}
	return true
}

// pieceLocked returns the last piece if it has room for n bytes, else a new one.
func (q *queue) pieceLocked(n int) *[]byte {
	if last := len(q.waiting) - 1; last >= 0 && len(*q.waiting[last])+n <= pieceSize {
		return q.waiting[last]
	}
	p := outputs.Get().(*[]byte)
	q.waiting = append(q.waiting, p)
	return p
}

// forget drops what was relayed and waits, as its allocation is closed. Answers stay.
func (q *queue) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size = 0
	q.waiting = slices.DeleteFunc(q.waiting, func(p *[]byte) bool {
		*p = answersOf(*p)
		q.size += len(*p)
		if len(*p) == 0 {
			outputs.Put(p)
		}
		return len(*p) == 0
	})
}

// answersOf moves the frames of b that are neither ChannelData nor Data indications to its beginning.
func answersOf(b []byte) []byte {
	kept := b[:0]
	_, _ = frames(b, func(frame []byte) error { // they are ours, and whole
		if wire.KindOf(frame[0]) != wire.ChannelData && binary.BigEndian.Uint16(frame) != wire.TypeDataIndication {
			kept = append(kept, frame...)
		}
		return nil
	})
	return kept
}

// write writes a piece that waits, and again, until there is none.
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
	q.writing = len(q.waiting) > 0
	if !q.writing {
		return nil
	}
	b := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	q.size -= len(*b)
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
