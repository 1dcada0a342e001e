package main

import (
	"context"
	"os"
	"time"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/channel/transfer"
	"signalbox/internal/viewer"
)

// terminal measures from the wish for a session to the first byte that its terminal shows.
func (t *technician) terminal(ctx context.Context, o order) (report, error) {
	began := time.Now()
	v, leave, err := t.attend(ctx, o.Transport, channel.Terminal)
	if err != nil {
		return report{}, err
	}
	defer leave()
	conn, err := v.Open(ctx, channel.Terminal)
	if err != nil {
		return report{}, err
	}
	term, err := channels.OpenTerminal(ctx, conn, channel.TerminalOpen{Cols: 80, Rows: 24})
	if err != nil {
		return report{}, err
	}
	defer term.Close() //nolint:errcheck // the session ends
	m, err := conn.Receive(ctx)
	r := report{Took: time.Since(began)}
	if err != nil || m.Text {
		return r, err
	}
	for v.Path().Rung == "" && ctx.Err() == nil { // it is looked at each second
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	r.Rung = v.Path().Rung
	return r, ctx.Err()
}

// transfer does work on a channel of files.
func (t *technician) transfer(ctx context.Context, o order, work func(context.Context, *channels.Files, order) error) (report, error) {
	v, leave, err := t.attend(ctx, o.Transport, channel.Files)
	if err != nil {
		return report{}, err
	}
	defer leave()
	conn, err := v.Open(ctx, channel.Files)
	if err != nil {
		return report{}, err
	}
	f := channels.NewFiles(conn)
	defer f.Close() //nolint:errcheck // the session ends
	began := time.Now()
	err = work(ctx, f, o)
	return report{Took: time.Since(began)}, err
}

// noise is content of any size that is not all the same.
type noise struct{ block [1 << 20]byte }

func newNoise() *noise {
	n := &noise{}
	for i := range n.block {
		n.block[i] = byte(i * i >> 3)
	}
	return n
}

// ReadAt implements io.ReaderAt.
func (n *noise) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		done += copy(p[done:], n.block[(off+int64(done))%int64(len(n.block)):])
	}
	return done, nil
}

func (t *technician) upload(ctx context.Context, f *channels.Files, o order) error {
	_, err := f.Upload(ctx, o.Path, newNoise(), o.MiB<<20, channels.UploadOptions{Overwrite: true})
	return err
}

func (t *technician) download(ctx context.Context, f *channels.Files, o order) error {
	folder, err := os.OpenRoot(t.dir)
	if err != nil {
		return err
	}
	part, err := transfer.OpenPart(ctx, folder, "received", func(transfer.Origin) bool { return false })
	if err != nil {
		return err
	}
	part.Overwrite = true
	_, err = f.Download(ctx, o.Path, part, nil)
	return err
}

// stall begins downloads whose bytes nobody reads.
func (t *technician) stall(ctx context.Context, o order) (leave func(), err error) {
	v, leave, err := t.attend(ctx, o.Transport, channel.Files)
	if err != nil {
		return func() {}, err
	}
	for range o.Channels {
		if err := stallOne(ctx, v, o.Path); err != nil {
			return leave, err
		}
	}
	return leave, nil
}

// stallOne takes the answer to a download, and nothing of what follows.
func stallOne(ctx context.Context, v *viewer.Viewer, path string) error {
	conn, err := v.Open(ctx, channel.Files)
	if err != nil {
		return err
	}
	text, err := channel.Encode(channel.FilesRequest{ID: 1, Download: &channel.FileDownload{Path: path}})
	if err == nil {
		err = conn.Send(ctx, channel.Message{Text: true, Data: text})
	}
	if err == nil {
		_, err = conn.Receive(ctx)
	}
	return err
}
