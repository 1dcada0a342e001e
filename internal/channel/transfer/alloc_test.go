package transfer

import (
	"context"
	"crypto/sha256"
	"testing"

	"signalbox/internal/channel"
)

// TestAllocations: a frame that is received allocates nothing, and a block that is sent only what its hash takes as a message.
func TestAllocations(t *testing.T) {
	const size = 1 << 40
	table := NewTable(t.Context(), nil)
	if _, err := table.Receive(1, Target{Sink: nowhere{}, Size: size, Whole: sha256.New()}); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, channel.FrameHeader+64)
	var at int64
	if n := testing.AllocsPerRun(1000, func() {
		channel.PutFrameHeader(frame, 1, at)
		at += 64
		if err := table.Frame(frame); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each frame that is received, want 0", n)
	}
	table.Close()

	c := &sink{}
	s := newSender(t.Context(), c, 1, Source{Content: zeros{}, Size: size})
	buf := new(block)
	at = 0
	n := testing.AllocsPerRun(50, func() {
		if err := s.send(t.Context(), buf, at); err != nil {
			t.Fatal(err)
		}
		at += channel.BlockSize
	})
	if most := 10.0; n > most {
		t.Errorf("%v allocations for each block that is sent, want at most %v", n, most)
	}
	if c.frames != 17*51 {
		t.Errorf("%d frames for 51 blocks", c.frames)
	}
}

// sink takes all that is sent.
type sink struct {
	channel.Conn
	frames int
}

func (s *sink) Send(_ context.Context, m channel.Message) error {
	if !m.Text {
		s.frames++
	}
	return nil
}
