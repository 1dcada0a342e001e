package transfer

import "signalbox/internal/channel"

// window is what a sender has sent and what has arrived, in bytes from the beginning of the file. It is always between two blocks.
type window struct {
	size  int64
	next  int64 // the block that is to be sent
	had   int64 // all before it is with the receiver
	again int   // how often the block at had was wrong
}

// open reports whether the block at next may be sent now.
func (w *window) open() bool {
	return w.next < w.size && w.next-w.had < channel.TransferWindow*channel.BlockSize
}

// sent moves on behind the block at offset, unless an earlier one was wanted again while it was on its way.
func (w *window) sent(offset int64) {
	if w.next == offset {
		w.next += int64(length(offset, w.size))
	}
}

// whole reports whether all is with the receiver.
func (w *window) whole() bool { return w.had == w.size }

// have takes what the receiver confirms.
func (w *window) have(offset int64) error {
	if offset <= w.had || offset > w.next || !Between(offset, w.size) {
		return channel.Refuse(channel.CodeInvalid, "%d was confirmed, between %d and %d", offset, w.had, w.next)
	}
	w.had, w.again = offset, 0
	return nil
}

// repeat goes back to a block that the receiver found wrong: it is the first that was not confirmed.
func (w *window) repeat(offset int64) error {
	if offset != w.had || offset >= w.next {
		return channel.Refuse(channel.CodeInvalid, "the block at %d is wanted again, between %d and %d", offset, w.had, w.next)
	}
	if w.again++; w.again > maxAgain {
		return channel.Refuse(channel.CodeFailed, "the block at %d was wrong %d times", offset, w.again)
	}
	w.next = offset
	return nil
}
