package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const recordBytes = 16 << 10 // payload of one TLS record: small writes are joined up to it

// outgoing is one queued write: data and then tail.
type outgoing struct {
	data    []byte
	tail    []byte
	written func(time.Time)
}

func (item outgoing) size() int { return len(item.data) + len(item.tail) }

// output is the sending half of a connection: a bounded queue, and a writer goroutine that lives only while there is something to write.
type output struct {
	limits Limits
	joins  *sync.Pool // of *[]byte with recordBytes, lent while several small writes are joined

	mu        sync.Mutex
	nc        net.Conn
	queue     []outgoing
	queued    int // bytes in queue
	writing   bool
	finishing bool          // nothing more is taken; close when written
	half      bool          // our sending side was closed after the last bytes
	securing  bool          // STARTTLS is under way: nothing may be written in plain text any more
	closed    bool          // nc is closed
	err       error         // first failure of a write
	idle      chan struct{} // closed when the writer ends; nil: nobody waits
}

// Send implements Conn.
func (o *output) Send(p, tail []byte, written func(time.Time)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.finishing || o.closed || o.securing:
		return ErrClosed
	case o.queued > 0 && o.queued+len(p)+len(tail) > o.limits.QueueBytes:
		return ErrFull
	}
	o.pushLocked(outgoing{p, tail, written})
	return nil
}

// Control implements Conn.
func (o *output) Control(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.finishing || o.closed || o.securing:
	case o.queued > 2*o.limits.QueueBytes:
		o.failLocked(ErrSlow)
	default:
		o.pushLocked(outgoing{data: p})
	}
}

// Finish implements Conn.
func (o *output) Finish(last []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finishing || o.closed {
		return
	}
	o.finishing = true
	if o.securing {
		o.closeLocked() // ends the handshake
		return
	}
	o.pushLocked(outgoing{data: last})
}

// Abort implements Conn.
func (o *output) Abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finishing = true
	o.closeLocked()
}

func (o *output) pushLocked(item outgoing) {
	o.queue = append(o.queue, item)
	o.queued += item.size()
	if !o.writing {
		o.writing = true
		go o.write() // ends when the queue is empty or a write failed; awaitIdle waits for it
	}
}

// write is the writer: it owns the socket's sending side until the queue is empty.
func (o *output) write() {
	for {
		o.mu.Lock()
		batch, nc := o.queue, o.nc
		done := len(batch) == 0 || o.closed || o.err != nil
		last := done && o.finishing && !o.closed && !o.half
		switch {
		case last:
			o.half = true
		case done:
			o.endLocked()
			o.mu.Unlock()
			return
		}
		o.queue = nil
		o.mu.Unlock()
		if last {
			o.closeHalf(nc)
			continue
		}
		n, err := o.writeBatch(nc, batch)
		o.mu.Lock()
		o.queued -= n
		if err != nil {
			o.failLocked(err)
		}
		o.mu.Unlock()
	}
}

// closeHalf closes our sending side, so that the peer gets our last bytes before the reset that unread input would cause, and lets the reader see the peer's
// end.
func (o *output) closeHalf(nc net.Conn) {
	if cw, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = cw.CloseWrite()
	}
	_ = nc.SetReadDeadline(time.Now().Add(o.limits.Linger))
}

// endLocked ends the writer: nothing is left to write, or nothing can be.
func (o *output) endLocked() {
	o.writing = false
	if !o.closed {
		_ = o.nc.SetWriteDeadline(time.Time{}) // TLS may write by itself when it reads
	}
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

func (o *output) failLocked(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrSlow
	}
	if o.err == nil {
		o.err = err
	}
	o.queue = nil
	o.closeLocked()
}

func (o *output) closeLocked() {
	if !o.closed {
		o.closed = true
		_ = o.nc.Close() // wakes the reader
	}
}

// writeBatch writes all items, small ones joined to records, and returns the number of bytes of the batch.
func (o *output) writeBatch(nc net.Conn, batch []outgoing) (int, error) {
	total := 0
	for i := range batch {
		total += batch[i].size()
	}
	if len(batch) == 1 && len(batch[0].tail) == 0 {
		return total, o.writeRun(nc, batch[0].data, batch)
	}
	join := o.joins.Get().(*[]byte)
	defer o.joins.Put(join)
	for len(batch) > 0 {
		run := nextRun(batch)
		data := (*join)[:0]
		for _, item := range batch[:run] {
			data = append(append(data, item.data...), item.tail...)
		}
		if err := o.writeRun(nc, data, batch[:run]); err != nil {
			return total, err
		}
		batch = batch[run:]
	}
	return total, nil
}

// nextRun returns how many items from the start fit into one record, at least one.
func nextRun(batch []outgoing) int {
	run, size := 0, 0
	for run < len(batch) && (run == 0 || size+batch[run].size() <= recordBytes) {
		size += batch[run].size()
		run++
	}
	return run
}

// writeRun writes the bytes of some items, a record at a time: a peer that reads slowly but steadily is not slow.
func (o *output) writeRun(nc net.Conn, data []byte, items []outgoing) error {
	for len(data) > 0 {
		n := min(len(data), recordBytes)
		_ = nc.SetWriteDeadline(time.Now().Add(o.limits.WriteTimeout))
		if _, err := nc.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	now := time.Now()
	for i := range items {
		if items[i].written != nil {
			items[i].written(now)
		}
	}
	return nil
}

// beginSecuring waits until everything queued is written and lets nothing be queued from then on, until endSecuring.
func (o *output) beginSecuring() (net.Conn, error) {
	for {
		if err := o.awaitIdle(); err != nil {
			return nil, err
		}
		o.mu.Lock()
		idle, over := !o.writing, o.finishing || o.closed
		o.securing = idle && !over
		o.mu.Unlock()
		switch {
		case over:
			return nil, ErrClosed
		case idle:
			return o.nc, nil
		}
	}
}

// endSecuring goes on with nc, unless the connection was ended meanwhile; then it closes nc.
func (o *output) endSecuring(nc net.Conn) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.securing = false
	o.nc = nc
	if o.finishing || o.closed {
		_ = nc.Close()
		return ErrClosed
	}
	return nil
}

// awaitIdle waits until everything queued is written, or a write failed. Its bound is the write timeout.
func (o *output) awaitIdle() error {
	o.mu.Lock()
	var idle chan struct{}
	if o.writing {
		if o.idle == nil {
			o.idle = make(chan struct{})
		}
		idle = o.idle
	}
	o.mu.Unlock()
	if idle != nil {
		<-idle
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	return o.err
}
