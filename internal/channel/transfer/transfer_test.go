package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is a file of size bytes, different for each seed.
func content(size int, seed byte) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// side is one end of a channel and its transfers.
type side struct {
	*Table
	end *channeltest.End
}

// pair joins two sides, each read until the channel is cut.
func pair(t testing.TB) (a, b side) {
	t.Helper()
	x, y := channeltest.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	a, b = side{NewTable(ctx, x), x}, side{NewTable(ctx, y), y}
	var work sync.WaitGroup
	for _, s := range []side{a, b} {
		work.Go(func() { _ = s.Run() })
		work.Go(func() {
			defer s.Close()
			s.read(ctx, t)
		})
	}
	t.Cleanup(func() {
		cancel()
		work.Wait()
	})
	return a, b
}

func (s side) read(ctx context.Context, t testing.TB) {
	for {
		m, err := s.end.Receive(ctx)
		if err != nil {
			return
		}
		if m.Text {
			var r channel.FilesAnswer
			if r, err = channel.DecodeFilesAnswer(m.Data); err == nil {
				err = s.Message(r.Transfer)
			}
		} else {
			err = s.Frame(m.Data)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// openPart opens a part of "file" in dir.
func openPart(t testing.TB, dir string, fits func(Origin) bool) *Part {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPart(t.Context(), root, "file", fits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func anything(Origin) bool { return true }

// move sends data from one side to a part on the other.
func move(t testing.TB, from, to side, number int, data io.ReaderAt, size int64, p *Part) (sent, got error) {
	t.Helper()
	in, err := to.Receive(number, p.Target())
	if err != nil {
		t.Fatal(err)
	}
	out, err := from.Send(number, Source{Content: data, Size: size, Offset: p.Offset()})
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() { _, sent = out.Run(t.Context()) })
	_, got = in.Wait(t.Context(), true)
	work.Wait()
	return sent, got
}

func TestSizes(t *testing.T) {
	for _, size := range []int{0, 1, channel.MaxFrameData, channel.MaxFrameData + 1, channel.BlockSize - 1, channel.BlockSize, channel.BlockSize + 1, 11*channel.BlockSize + 5} {
		dir, data := t.TempDir(), content(size, 1)
		a, b := pair(t)
		p := openPart(t, dir, anything)
		if err := p.Begin(Origin{Size: int64(size)}); err != nil {
			t.Fatal(err)
		}
		if sent, got := move(t, a, b, 1, bytes.NewReader(data), int64(size), p); sent != nil || got != nil {
			t.Fatalf("%d bytes: sent %v, got %v", size, sent, got)
		}
		if is, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || !bytes.Equal(is, data) {
			t.Errorf("%d bytes: %d arrived, %v", size, len(is), err)
		}
		if names, _ := os.ReadDir(dir); len(names) != 1 {
			t.Errorf("%d bytes: %v is left in the folder", size, names)
		}
	}
}

// TestWrongBlock: a block that is damaged on its way is sent again, with what came behind it, and no more than that.
func TestWrongBlock(t *testing.T) {
	const size = 20 * channel.BlockSize
	dir, data := t.TempDir(), content(size, 2)
	a, b := pair(t)
	damaged, frames := 0, 0
	a.end.Tamper = func(m channel.Message) {
		if m.Text {
			return
		}
		if frames++; frames%101 == 0 {
			m.Data[channel.FrameHeader] ^= 1
			damaged++
		}
	}
	p := openPart(t, dir, anything)
	if err := p.Begin(Origin{Size: size}); err != nil {
		t.Fatal(err)
	}
	if sent, got := move(t, a, b, 1, bytes.NewReader(data), size, p); sent != nil || got != nil {
		t.Fatal(sent, got)
	}
	if is, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || !bytes.Equal(is, data) {
		t.Errorf("%d bytes arrived, %v", len(is), err)
	}
	perBlock := channel.BlockSize/channel.MaxFrameData + 1
	if most := (20 + damaged*(channel.TransferWindow+1)) * perBlock; damaged < 3 || frames > most {
		t.Errorf("%d frames with %d damaged, want at most %d with 3 or more", frames, damaged, most)
	}
}

// TestAlwaysWrong: a way that always damages does not go on for ever.
func TestAlwaysWrong(t *testing.T) {
	dir := t.TempDir()
	a, b := pair(t)
	a.end.Tamper = func(m channel.Message) {
		if !m.Text {
			m.Data[len(m.Data)-1] ^= 1
		}
	}
	p := openPart(t, dir, anything)
	if err := p.Begin(Origin{Size: 10}); err != nil {
		t.Fatal(err)
	}
	sent, got := move(t, a, b, 1, bytes.NewReader(content(10, 3)), 10, p)
	for _, err := range []error{sent, got} {
		wantCode(t, err, channel.CodeFailed)
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err == nil {
		t.Error("the file has its name")
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

// TestBothWays: transfers in both directions at a time do not wait for each other.
func TestBothWays(t *testing.T) {
	const size = 4*channel.BlockSize + 1
	a, b := pair(t)
	var work sync.WaitGroup
	for n := range MaxTransfers {
		from, to := a, b
		if n%2 == 0 {
			from, to = b, a
		}
		dir, data := t.TempDir(), content(size, byte(n))
		p := openPart(t, dir, anything)
		if err := p.Begin(Origin{Size: size}); err != nil {
			t.Fatal(err)
		}
		work.Go(func() {
			if sent, got := move(t, from, to, n+1, bytes.NewReader(data), size, p); sent != nil || got != nil {
				t.Errorf("transfer %d: sent %v, got %v", n, sent, got)
			}
			if is, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || !bytes.Equal(is, data) {
				t.Errorf("transfer %d: %d bytes, %v", n, len(is), err)
			}
		})
	}
	work.Wait()
}

func TestBusy(t *testing.T) {
	table := NewTable(t.Context(), nil)
	for n := range MaxTransfers {
		if _, err := table.Send(n+1, Source{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := table.Send(100, Source{}); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	table.Close()
	if _, err := table.Send(1, Source{}); err == nil {
		t.Error("a table that is closed took a transfer")
	}
}

// TestSourceChanges: what is shorter than it was is not sent, and what is other than its blocks were is not kept.
func TestSourceChanges(t *testing.T) {
	t.Run("shorter", func(t *testing.T) {
		a, b := pair(t)
		p := openPart(t, t.TempDir(), anything)
		if err := p.Begin(Origin{Size: 100}); err != nil {
			t.Fatal(err)
		}
		sent, got := move(t, a, b, 1, bytes.NewReader(content(99, 1)), 100, p)
		wantCode(t, sent, channel.CodeChanged)
		wantCode(t, got, channel.CodeChanged)
	})
	t.Run("between two parts", func(t *testing.T) {
		const size = 2 * channel.BlockSize
		dir := t.TempDir()
		p := openPart(t, dir, anything)
		if err := p.Begin(Origin{Size: size}); err != nil {
			t.Fatal(err)
		}
		first := content(size, 1)[:channel.BlockSize]
		if err := p.WriteBlock(0, first, sha256.Sum256(first)); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(true); err != nil {
			t.Fatal(err)
		}
		a, b := pair(t)
		if p = openPart(t, dir, anything); p.Offset() != channel.BlockSize {
			t.Fatalf("the part has %d bytes", p.Offset())
		}
		sent, got := move(t, a, b, 1, bytes.NewReader(content(size, 2)), size, p)
		wantCode(t, sent, channel.CodeChanged)
		wantCode(t, got, channel.CodeChanged)
		if names, _ := os.ReadDir(dir); len(names) != 0 {
			t.Errorf("%v is left", names)
		}
	})
}

// TestCut: when the channel is lost, both sides know, and what was written stays.
func TestCut(t *testing.T) {
	const size = 30 * channel.BlockSize
	dir, data := t.TempDir(), content(size, 4)
	a, b := pair(t)
	frames := 0
	a.end.Tamper = func(m channel.Message) {
		if !m.Text {
			frames++
		}
		if frames == 200 {
			a.end.Cut()
		}
	}
	p := openPart(t, dir, anything)
	if err := p.Begin(Origin{Size: size, Version: "1"}); err != nil {
		t.Fatal(err)
	}
	if sent, got := move(t, a, b, 1, bytes.NewReader(data), size, p); sent == nil || got == nil {
		t.Fatalf("sent %v, got %v", sent, got)
	}
	a, b = pair(t)
	p = openPart(t, dir, func(o Origin) bool { return o == Origin{Size: size, Version: "1"} })
	if n := p.Offset(); n == 0 || n > 200*channel.MaxFrameData || n%channel.BlockSize != 0 {
		t.Errorf("%d bytes are there after 200 frames", n)
	}
	if sent, got := move(t, a, b, 1, bytes.NewReader(data), size, p); sent != nil || got != nil {
		t.Fatal(sent, got)
	}
	if is, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || !bytes.Equal(is, data) {
		t.Errorf("%d bytes arrived, %v", len(is), err)
	}
}

// TestGiveUp: who stops waiting for a file ends the transfer on the other side, too.
func TestGiveUp(t *testing.T) {
	for _, keep := range []bool{true, false} {
		dir := t.TempDir()
		a, b := pair(t)
		p := openPart(t, dir, anything)
		if err := p.Begin(Origin{Size: 10}); err != nil {
			t.Fatal(err)
		}
		in, err := b.Receive(1, p.Target())
		if err != nil {
			t.Fatal(err)
		}
		out, err := a.Send(1, Source{Content: bytes.NewReader(content(10, 1)), Size: 10})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := in.Wait(ctx, keep); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v", err)
		}
		_, err = out.Run(t.Context())
		wantCode(t, err, channel.CodeCancelled)
		if names, _ := os.ReadDir(dir); (len(names) > 0) != keep {
			t.Errorf("keep %v: %v is left", keep, names)
		}
	}
}

// TestRudeSender: what does not follow the protocol ends its transfer and nothing else.
func TestRudeSender(t *testing.T) {
	whole := sha256.Sum256(content(10, 1))
	for name, say := range map[string]func(r *receiver) channel.Transfer{
		"a gap":    func(r *receiver) channel.Transfer { return r.frame(5, []byte("x")) },
		"too much": func(r *receiver) channel.Transfer { return r.frame(0, make([]byte, 11)) },
		"an early end": func(r *receiver) channel.Transfer {
			return r.take(channel.Transfer{Finish: &channel.TransferSum{Number: 1, SHA256: whole}})
		},
		"an early hash": func(r *receiver) channel.Transfer {
			return r.take(channel.Transfer{Block: &channel.TransferBlock{Number: 1, Size: 10, SHA256: whole}})
		},
		"a receiver's word": func(r *receiver) channel.Transfer {
			return r.take(channel.Transfer{Have: &channel.TransferPlace{Number: 1, Offset: 10}})
		},
	} {
		p := openPart(t, t.TempDir(), anything)
		if err := p.Begin(Origin{Size: 10}); err != nil {
			t.Fatal(err)
		}
		r := newReceiver(1, p.Target())
		answer := say(r)
		if answer.Failed == nil || answer.Failed.Error.Code != channel.CodeInvalid {
			t.Errorf("%s: answer %+v", name, answer)
		}
		if again := r.frame(0, []byte("x")); again != (channel.Transfer{}) {
			t.Errorf("%s: after the end there is an answer %+v", name, again)
		}
		if res := <-r.result; res.err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWindow(t *testing.T) {
	const b = channel.BlockSize
	w := window{size: 20*b + 5}
	for w.open() {
		w.sent(w.next)
	}
	if w.next != channel.TransferWindow*b {
		t.Fatalf("%d bytes without a word of the receiver", w.next)
	}
	for name, bad := range map[string]error{
		"nothing new":        w.have(0),
		"half a block":       w.have(b / 2),
		"what was not sent":  w.have(9 * b),
		"again the second":   w.repeat(b),
		"again what is next": w.repeat(8 * b),
	} {
		wantCode(t, bad, channel.CodeInvalid)
		if bad == nil {
			t.Error(name)
		}
	}
	if err := w.have(2 * b); err != nil || w.next-w.had != 6*b || !w.open() {
		t.Errorf("have: %v, %+v", err, w)
	}
	if err := w.repeat(2 * b); err != nil || w.next != 2*b {
		t.Errorf("repeat: %v, %+v", err, w)
	}
	w.sent(7 * b) // was on its way when the third was wanted again
	if w.next != 2*b {
		t.Errorf("%+v", w)
	}
	for range maxAgain {
		w.sent(2 * b)
		if w.again < maxAgain {
			if err := w.repeat(2 * b); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantCode(t, w.repeat(2*b), channel.CodeFailed)
}

// nowhere drops what is received.
type nowhere struct{}

func (nowhere) WriteBlock(int64, []byte, channel.Sum) error { return nil }
func (nowhere) Commit() error                               { return nil }
func (nowhere) Close(bool) error                            { return nil }

// zeros is a file without end.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) { return len(b), nil }

// BenchmarkTransfer moves a file through a channel in memory, hashes included on both sides. What is allocated per MiB is the two messages of a block.
func BenchmarkTransfer(b *testing.B) {
	from, to := pair(b)
	size := int64(b.N) * channel.BlockSize
	b.SetBytes(channel.BlockSize)
	b.ReportAllocs()
	in, err := to.Receive(1, Target{Sink: nowhere{}, Size: size, Whole: sha256.New()})
	if err != nil {
		b.Fatal(err)
	}
	out, err := from.Send(1, Source{Content: zeros{}, Size: size})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var work sync.WaitGroup
	work.Go(func() {
		if _, err := out.Run(b.Context()); err != nil {
			b.Error(err)
		}
	})
	if _, err := in.Wait(b.Context(), false); err != nil {
		b.Error(err)
	}
	work.Wait()
}
