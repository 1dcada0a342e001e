package channel

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Numbers of transfers.
const (
	BlockSize      = 1 << 20 // bytes of a block, the last one of a file aside
	TransferWindow = 8       // blocks that a sender may be ahead of what the receiver has confirmed
	FrameHeader    = 12      // bytes before the data of a frame
	MaxFrameData   = MaxMessage - FrameHeader
)

// Transfer is what sender and receiver of a file say to each other, in both directions alike: one member is set. Each is about the transfer with its number, which the
// endpoint has given in a TransferOpen.
type Transfer struct {
	Block  *TransferBlock  `json:"block,omitempty"`  // sender: the frames of a block are through, this is what they must be
	Have   *TransferPlace  `json:"have,omitempty"`   // receiver: all before Offset is right and written
	Again  *TransferPlace  `json:"again,omitempty"`  // receiver: the block at Offset was wrong; the sender goes on from there, what came behind it is dropped
	Finish *TransferSum    `json:"finish,omitempty"` // sender: that was all
	Done   *TransferSum    `json:"done,omitempty"`   // receiver: the file has its name; the transfer is over
	Failed *TransferFailed `json:"failed,omitempty"` // either: the transfer is over
	Cancel *TransferCancel `json:"cancel,omitempty"` // either: likewise
}

// TransferOpen is the answer to an upload or a download.
type TransferOpen struct {
	Number  int    `json:"number"`            // 1 to 2^31-1, of this channel
	Offset  int64  `json:"offset"`            // where the sender begins: what is before is there already
	Size    int64  `json:"size"`              // of the file
	Version string `json:"version,omitempty"` // of a download: text that stays the same while the file does
	Block   int    `json:"block"`             // BlockSize
}

// TransferBlock is the hash of a block.
type TransferBlock struct {
	Number int   `json:"number"`
	Offset int64 `json:"offset"` // a multiple of BlockSize
	Size   int   `json:"size"`   // BlockSize, or what is left of the file
	SHA256 Sum   `json:"sha256"` // of the block
}

// TransferPlace is a place in a file between two blocks.
type TransferPlace struct {
	Number int   `json:"number"`
	Offset int64 `json:"offset"`
}

// TransferSum is the hash of a whole file.
type TransferSum struct {
	Number int `json:"number"`
	SHA256 Sum `json:"sha256"`
}

// TransferFailed says why a transfer is over.
type TransferFailed struct {
	Number int    `json:"number"`
	Error  *Error `json:"error"`
}

// TransferCancel ends a transfer.
type TransferCancel struct {
	Number int  `json:"number"`
	Keep   bool `json:"keep"` // what has arrived is kept, for another attempt to go on from
}

// Sum is a SHA-256; its text is in lower-case hexadecimal digits.
type Sum [32]byte

// String implements fmt.Stringer.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sum) UnmarshalText(text []byte) error {
	if len(text) != 2*len(s) {
		return errors.New("a SHA-256 has 64 digits")
	}
	for _, c := range text {
		if c >= 'A' && c <= 'F' {
			return errors.New("a SHA-256 is written in lower case")
		}
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// Number is that of the transfer which a message is about; 0: it is about none.
func (m *Transfer) Number() int {
	switch {
	case m.Block != nil:
		return m.Block.Number
	case m.Have != nil:
		return m.Have.Number
	case m.Again != nil:
		return m.Again.Number
	case m.Finish != nil:
		return m.Finish.Number
	case m.Done != nil:
		return m.Done.Number
	case m.Failed != nil:
		return m.Failed.Number
	case m.Cancel != nil:
		return m.Cancel.Number
	}
	return 0
}

func (m *Transfer) check() error {
	if err := one(m.Block != nil, m.Have != nil, m.Again != nil, m.Finish != nil, m.Done != nil, m.Failed != nil, m.Cancel != nil); err != nil {
		return err
	}
	if err := within("number", int64(m.Number()), 1, maxNumber); err != nil {
		return err
	}
	switch {
	case m.Block != nil:
		return m.Block.check()
	case m.Have != nil:
		return within("offset", m.Have.Offset, 0, MaxOffset)
	case m.Again != nil:
		return within("offset", m.Again.Offset, 0, MaxOffset)
	case m.Failed != nil && m.Failed.Error == nil:
		return errors.New("error is missing")
	}
	return nil
}

func (b *TransferBlock) check() error {
	if err := within("offset", b.Offset, 0, MaxOffset); err != nil {
		return err
	}
	return within("size", int64(b.Size), 1, BlockSize)
}

func (o *TransferOpen) check() error {
	if err := within("number", int64(o.Number), 1, maxNumber); err != nil {
		return err
	}
	if o.Block != BlockSize {
		return fmt.Errorf("blocks of %d bytes", o.Block)
	}
	if err := within("size", o.Size, 0, MaxOffset); err != nil {
		return err
	}
	if err := within("offset", o.Offset, 0, o.Size); err != nil {
		return err
	}
	return short("version", o.Version, maxVersion)
}

// Frame is a piece of a file: four bytes of its transfer's number, eight bytes of its place in the file, both big-endian, and the data. A frame does not reach over the end of
// a block.
type Frame struct {
	Number int    // 1 to 2^31-1
	Offset int64  // 0 to MaxOffset
	Data   []byte // 1 to MaxFrameData bytes; part of the message that was parsed
}

// PutFrameHeader writes what stands before the data of a frame into the first FrameHeader bytes of b.
func PutFrameHeader(b []byte, number int, offset int64) {
	binary.BigEndian.PutUint32(b, uint32(number))
	binary.BigEndian.PutUint64(b[4:], uint64(offset))
}

// ParseFrame reads a binary message of a channel of Files.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) <= FrameHeader || len(b) > MaxMessage {
		return Frame{}, Refuse(CodeInvalid, "a frame of %d bytes", len(b))
	}
	number, offset := binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:])
	if number == 0 || number > maxNumber || offset > MaxOffset {
		return Frame{}, Refuse(CodeInvalid, "a frame of transfer %d at %d", number, offset)
	}
	return Frame{Number: int(number), Offset: int64(offset), Data: b[FrameHeader:]}, nil
}
