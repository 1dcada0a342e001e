package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"sync"

	"signalbox/internal/channel"
)

// Source is a file that is sent.
type Source struct {
	Content  io.ReaderAt
	Size     int64
	Offset   int64               // what is with the receiver already: a whole number of blocks, or Size
	Check    func() error        // called when all was read: nil, or that the file has changed meanwhile; nil: it cannot
	Progress func(arrived int64) // called with what the receiver has confirmed, by the goroutine that sends; nil: nobody wants to know
}

// sender sends one file. run is called once; take by the goroutine that reads the channel.
type sender struct {
	// Set at construction.
	life   context.Context // of the channel
	conn   channel.Conn
	number int
	source Source

	// Owned by run.
	whole  hash.Hash
	hashed int64 // how far whole has come

	mu     sync.Mutex
	window window
	over   bool // done or failed
	sum    channel.Sum
	err    error

	news chan struct{} // something above has changed; one is enough
}

func newSender(life context.Context, conn channel.Conn, number int, source Source) *sender {
	return &sender{
		life: life, conn: conn, number: number, source: source, whole: sha256.New(),
		window: window{size: source.Size, next: source.Offset, had: source.Offset},
		news:   make(chan struct{}, 1),
	}
}

// run sends until the receiver has the file under its name, and returns its hash. An *channel.Error is the end of the transfer, any other error that of the channel or of ctx.
func (s *sender) run(ctx context.Context) (channel.Sum, error) {
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	for s.hashed < s.source.Offset { // the hash is that of the whole file
		if _, err := s.read(buf, s.hashed); err != nil {
			return channel.Sum{}, err
		}
		if err := ctx.Err(); err != nil {
			return channel.Sum{}, err
		}
	}
	finished := false
	for {
		offset, do := s.next(finished)
		var err error
		switch do {
		case stepOver:
			return s.sum, s.err
		case stepSend:
			err = s.send(ctx, buf, offset)
		case stepFinish:
			finished = true
			err = s.finish()
		case stepWait:
			err = s.wait(ctx)
		}
		if err != nil {
			return channel.Sum{}, err
		}
	}
}

// step is what a sender does next.
type step int

const (
	stepWait step = iota // for the receiver
	stepSend             // the block at an offset
	stepFinish
	stepOver
)

func (s *sender) next(finished bool) (offset int64, do step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return 0, stepOver
	case s.window.open():
		return s.window.next, stepSend
	case s.window.whole() && !finished:
		return 0, stepFinish
	}
	return 0, stepWait
}

// read reads a block behind the header's room and counts it into the hash of the whole, once.
func (s *sender) read(buf *block, offset int64) ([]byte, error) {
	data := buf[channel.FrameHeader:][:length(offset, s.source.Size)]
	switch n, err := s.source.Content.ReadAt(data, offset); {
	case n == len(data):
	case errors.Is(err, io.EOF):
		return nil, channel.Refuse(channel.CodeChanged, "the file has become shorter")
	default:
		return nil, channel.Refuse(channel.CodeFailed, "reading the file: %v", err)
	}
	if offset == s.hashed {
		s.whole.Write(data)
		s.hashed += int64(len(data))
	}
	return data, nil
}

// send sends a block and its hash. The header of each frame is written over the end of the one before, which is on its way: so nothing is copied.
func (s *sender) send(ctx context.Context, buf *block, offset int64) error {
	data, err := s.read(buf, offset)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	for at := 0; at < len(data); at += channel.MaxFrameData {
		end := min(at+channel.MaxFrameData, len(data))
		frame := buf[at : channel.FrameHeader+end]
		channel.PutFrameHeader(frame, s.number, offset+int64(at))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.conn.Send(s.life, channel.Message{Data: frame}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.window.sent(offset) // before its hash is: the answer may be quick
	s.mu.Unlock()
	return s.say(channel.Transfer{Block: &channel.TransferBlock{Number: s.number, Offset: offset, Size: len(data), SHA256: sum}})
}

func (s *sender) finish() error {
	if s.source.Check != nil {
		if err := s.source.Check(); err != nil {
			return err
		}
	}
	return s.say(channel.Transfer{Finish: &channel.TransferSum{Number: s.number, SHA256: s.total()}})
}

func (s *sender) total() (sum channel.Sum) {
	s.whole.Sum(sum[:0])
	return sum
}

func (s *sender) wait(ctx context.Context) error {
	select {
	case <-s.news:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.source.Progress != nil {
		s.mu.Lock()
		had := s.window.had
		s.mu.Unlock()
		s.source.Progress(had)
	}
	return nil
}

// take is told what the receiver says.
func (s *sender) take(m channel.Transfer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return
	case m.Have != nil:
		s.stopLocked(s.window.have(m.Have.Offset))
	case m.Again != nil:
		s.stopLocked(s.window.repeat(m.Again.Offset))
	case m.Done != nil:
		s.sum, s.over = m.Done.SHA256, true
	case m.Failed != nil:
		s.stopLocked(m.Failed.Error)
	case m.Cancel != nil:
		s.stopLocked(cancelled())
	default:
		s.stopLocked(channel.Refuse(channel.CodeInvalid, "a sender was told what a sender says"))
	}
	s.tellLocked()
}

// end ends the transfer from this side, unless it is over.
func (s *sender) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.stopLocked(err)
		s.tellLocked()
	}
}

// ended reports whether the transfer is over by what take was told.
func (s *sender) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func (s *sender) tellLocked() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// stopLocked ends the transfer, unless err is nil.
func (s *sender) stopLocked(err error) {
	if err != nil {
		s.err, s.over = err, true
	}
}

// say sends a text message of the transfer.
func (s *sender) say(m channel.Transfer) error {
	text, err := channel.Encode(m)
	if err != nil {
		return err
	}
	return s.conn.Send(s.life, channel.Message{Text: true, Data: text})
}
