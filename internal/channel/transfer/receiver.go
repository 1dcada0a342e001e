package transfer

import (
	"crypto/sha256"
	"errors"
	"hash"
	"sync"

	"signalbox/internal/channel"
)

// Sink takes a file that is received. Its methods are called one at a time; the last is Close, or a Commit that succeeds.
type Sink interface {
	// WriteBlock takes the next block, whose hash was right. data is valid until it returns.
	WriteBlock(offset int64, data []byte, sum channel.Sum) error
	// Commit gives the file its name: all is there and right. After an error Close is called.
	Commit() error
	// Close gives it up; with keep what has arrived stays, for another transfer to go on from.
	Close(keep bool) error
}

// Target says what is received and where it goes.
type Target struct {
	Sink   Sink
	Size   int64
	Offset int64     // what is there already: a whole number of blocks, or Size
	Whole  hash.Hash // SHA-256, of what is there already
}

// receiver receives one file: frames and messages in, answers out.
type receiver struct {
	number int
	target Target
	result chan result // gets one when the transfer is over

	mu     sync.Mutex
	at     int64  // all before it is checked and written
	buf    *block // what has come of the block at at; nil: the transfer is over
	fill   int
	wrong  int  // how often that block was wrong
	skip   bool // it was wrong: all is dropped until it comes again
	spoilt bool // what has arrived is of no use to another transfer
}

type result struct {
	sum channel.Sum
	err error
}

func newReceiver(number int, target Target) *receiver {
	return &receiver{number: number, target: target, at: target.Offset, buf: blocks.Get().(*block), result: make(chan result, 1)}
}

// frame takes a piece of the file. The answer is empty, or that the transfer has failed by it.
func (r *receiver) frame(offset int64, data []byte) (answer channel.Transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buf == nil || r.skip && offset != r.at {
		return answer
	}
	r.skip = false
	if most := length(r.at, r.target.Size); offset != r.at+int64(r.fill) || r.fill+len(data) > most {
		return r.failLocked(channel.Refuse(channel.CodeInvalid, "%d bytes for %d, where %d of %d bytes at %d were expected", len(data), offset, most-r.fill, most, r.at))
	}
	r.fill += copy(r.buf[r.fill:], data)
	return answer
}

// take is told what the sender says, and returns what to answer, if anything.
func (r *receiver) take(m channel.Transfer) (answer channel.Transfer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	switch {
	case r.buf == nil:
		return answer
	case m.Block != nil:
		answer, err = r.blockLocked(m.Block)
	case m.Finish != nil:
		answer, err = r.finishLocked(m.Finish.SHA256)
	case m.Cancel != nil:
		r.endLocked(cancelled(), m.Cancel.Keep)
	case m.Failed != nil:
		r.endLocked(m.Failed.Error, m.Failed.Error.Code != channel.CodeChanged)
	default:
		err = channel.Refuse(channel.CodeInvalid, "a receiver was told what a receiver says")
	}
	if err != nil {
		return r.failLocked(err)
	}
	return answer
}

// blockLocked checks the block that has come, and writes it.
func (r *receiver) blockLocked(b *channel.TransferBlock) (answer channel.Transfer, err error) {
	if r.skip {
		return answer, nil
	}
	if b.Offset != r.at || b.Size != r.fill || r.fill != length(r.at, r.target.Size) {
		return answer, channel.Refuse(channel.CodeInvalid, "the hash of %d bytes at %d, where %d bytes at %d have come", b.Size, b.Offset, r.fill, r.at)
	}
	data := r.buf[:r.fill]
	r.fill = 0
	if sha256.Sum256(data) != b.SHA256 {
		return r.againLocked()
	}
	if err := r.target.Sink.WriteBlock(r.at, data, b.SHA256); err != nil {
		r.spoilt = true // a disk that is full must not stay so
		return answer, err
	}
	r.target.Whole.Write(data)
	r.at += int64(len(data))
	r.wrong = 0
	return channel.Transfer{Have: &channel.TransferPlace{Number: r.number, Offset: r.at}}, nil
}

func (r *receiver) againLocked() (answer channel.Transfer, err error) {
	if r.wrong++; r.wrong > maxAgain {
		return answer, channel.Refuse(channel.CodeFailed, "the block at %d was wrong %d times", r.at, r.wrong)
	}
	r.skip = true
	return channel.Transfer{Again: &channel.TransferPlace{Number: r.number, Offset: r.at}}, nil
}

func (r *receiver) finishLocked(want channel.Sum) (answer channel.Transfer, err error) {
	if r.at != r.target.Size || r.fill != 0 || r.skip {
		return answer, channel.Refuse(channel.CodeInvalid, "the end at %d of %d", r.at, r.target.Size)
	}
	if r.sumLocked() != want {
		r.spoilt = true
		return answer, channel.Refuse(channel.CodeChanged, "the file has changed while it was read: its hash is not that of its blocks")
	}
	if err := r.target.Sink.Commit(); err != nil {
		return answer, err
	}
	r.endLocked(nil, false)
	return channel.Transfer{Done: &channel.TransferSum{Number: r.number, SHA256: want}}, nil
}

func (r *receiver) sumLocked() (sum channel.Sum) {
	r.target.Whole.Sum(sum[:0])
	return sum
}

// failLocked ends the transfer, and returns what tells the other side.
func (r *receiver) failLocked(err error) channel.Transfer {
	r.endLocked(err, !r.spoilt)
	return failed(r.number, err)
}

// end ends the transfer from this side, and reports whether it was not over yet.
func (r *receiver) end(err error, keep bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.buf != nil
	r.endLocked(err, keep)
	return was
}

// endLocked ends the transfer, unless it is over. err is nil if the file has its name.
func (r *receiver) endLocked(err error, keep bool) {
	if r.buf == nil {
		return
	}
	blocks.Put(r.buf)
	r.buf = nil
	res := result{err: err}
	if err == nil {
		res.sum = r.sumLocked()
	} else if closed := r.target.Sink.Close(keep); closed != nil {
		res.err = errors.Join(err, closed)
	}
	r.result <- res
}
