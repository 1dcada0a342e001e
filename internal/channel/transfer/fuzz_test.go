package transfer

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"signalbox/internal/channel"
)

// judge is a sink that knows what it must get.
type judge struct {
	t      *testing.T
	want   []byte
	got    []byte
	closed int
}

func (j *judge) WriteBlock(offset int64, data []byte, sum channel.Sum) error {
	if offset != int64(len(j.got)) || sha256.Sum256(data) != sum {
		j.t.Errorf("a block at %d, with %d bytes there", offset, len(j.got))
	}
	j.got = append(j.got, data...)
	return nil
}

func (j *judge) Commit() error {
	if j.closed++; !bytes.Equal(j.got, j.want) {
		j.t.Errorf("a file got its name that is not what was sent: %q", j.got)
	}
	return nil
}

func (j *judge) Close(bool) error {
	j.closed++
	return nil
}

// FuzzReceiver: whatever a sender says, a file gets its name only if it is whole and right, and its sink has one end.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte("fbe"))
	f.Add([]byte("fxbwffbe"))
	f.Add([]byte("ffbbee"))
	f.Add([]byte("gchfbde"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		data := []byte("0123456789")
		whole := sha256.Sum256(data)
		j := &judge{t: t, want: data}
		r := newReceiver(1, Target{Sink: j, Size: int64(len(data)), Whole: sha256.New()})
		sum, at := whole, int64(0)
		for _, step := range steps {
			var answer channel.Transfer
			switch step {
			case 'f': // the next piece
				answer = r.frame(at, data[at:min(at+5, 10)])
				at = (at + 5) % 10
			case 'g': // another one
				answer = r.frame(at, []byte("x"))
			case 'w': // a wrong byte
				answer = r.frame(at, []byte("xxxxx"))
			case 'x': // the hash of something else from here on
				sum = sha256.Sum256([]byte{step})
			case 'b':
				answer = r.take(channel.Transfer{Block: &channel.TransferBlock{Number: 1, Size: 10, SHA256: sum}})
			case 'e':
				answer = r.take(channel.Transfer{Finish: &channel.TransferSum{Number: 1, SHA256: whole}})
			case 'c':
				answer = r.take(channel.Transfer{Cancel: &channel.TransferCancel{Number: 1}})
			case 'h':
				answer = r.take(channel.Transfer{Have: &channel.TransferPlace{Number: 1}})
			case 'd':
				answer = r.take(channel.Transfer{Failed: &channel.TransferFailed{Number: 1, Error: cancelled()}})
			}
			if answer.Done != nil && j.closed != 1 {
				t.Fatal("it is done, and has no name")
			}
		}
		r.end(errClosed, true)
		if j.closed != 1 {
			t.Fatalf("%d ends", j.closed)
		}
	})
}
