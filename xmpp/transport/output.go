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
	closed    bool          // nc is closed
	err       error         // first failure of a write
	idle      chan struct{} // closed when the writer ends; nil: nobody waits
}

// Send implements Conn.
func (o *output) Send(p, tail []byte, written func(time.Time)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.finishing || o.closed:
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
	case o.finishing || o.closed:
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
		if len(batch) == 0 || o.closed || o.err != nil {
			o.endLocked()
			o.mu.Unlock()
			return
		}
		o.queue = nil
		o.mu.Unlock()
		n, err := o.writeBatch(nc, batch)
		o.mu.Lock()
		o.queued -= n
		if err != nil {
			o.failLocked(err)
		}
		o.mu.Unlock()
	}
}

// endLocked ends the writer: nothing is left to write, or nothing can be.
func (o *output) endLocked() {
	o.writing = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
	if o.finishing && !o.closed {
		// The peer gets our last bytes before the reset that unread input would cause: close the sending side, and let the reader see the peer's end.
		if cw, ok := o.nc.(interface{ CloseWrite() error }); ok {
			_ = cw.CloseWrite()
		}
		_ = o.nc.SetReadDeadline(time.Now().Add(o.limits.Linger))
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
	_ = nc.SetWriteDeadline(time.Now().Add(o.limits.WriteTimeout))
	total := 0
	for i := range batch {
		total += batch[i].size()
	}
	if len(batch) == 1 && len(batch[0].tail) == 0 {
		return total, writeRun(nc, batch[0].data, batch)
	}
	join := o.joins.Get().(*[]byte)
	defer o.joins.Put(join)
	for len(batch) > 0 {
		run := nextRun(batch)
		data := (*join)[:0]
		for _, item := range batch[:run] {
			data = append(append(data, item.data...), item.tail...)
		}
		if err := writeRun(nc, data, batch[:run]); err != nil {
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

func writeRun(nc net.Conn, data []byte, items []outgoing) error {
	if len(data) > 0 {
		if _, err := nc.Write(data); err != nil {
			return err
		}
	}
	now := time.Now()
	for i := range items {
		if items[i].written != nil {
			items[i].written(now)
		}
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
