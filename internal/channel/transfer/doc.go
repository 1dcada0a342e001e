// Package transfer moves files over a channel: the sender and the receiver of one file, all transfers of one channel, and files that are not whole yet. The endpoint and the
// technician's tools use the same.
package transfer

import (
	"sync"

	"signalbox/internal/channel"
)

// maxAgain is how often one block may be wrong before the transfer fails.
const maxAgain = 8

// block holds one block of a file, behind room for the header of a frame.
type block [channel.FrameHeader + channel.BlockSize]byte

// blocks are used again by later transfers.
var blocks = sync.Pool{New: func() any { return new(block) }}

// length is the size of the block at offset of a file of size bytes.
func length(offset, size int64) int { return int(min(channel.BlockSize, size-offset)) }

// Between reports whether offset is a place between two blocks of a file of size bytes, or its end.
func Between(offset, size int64) bool {
	return offset >= 0 && (offset == size || offset < size && offset%channel.BlockSize == 0)
}
