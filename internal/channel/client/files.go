package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox/internal/channel"
	"signalbox/internal/channel/transfer"
)

// Files is a channel of channel.Files. Its methods may be called concurrently. A refusal is an *channel.Error.
type Files struct {
	calls *calls[channel.FilesAnswer]
	table *transfer.Table
	stop  context.CancelFunc
	work  sync.WaitGroup
}

// NewFiles takes a channel; Close must be called.
func NewFiles(conn channel.Conn) *Files {
	life, stop := context.WithCancel(context.Background())
	group, life := errgroup.WithContext(life)
	f := &Files{calls: newCalls[channel.FilesAnswer](conn), table: transfer.NewTable(life, conn), stop: stop}
	f.work.Go(func() {
		group.Go(f.table.Run)
		group.Go(func() error { return f.read(life) })
		err := group.Wait()
		f.table.Close()
		f.calls.stop(err)
	})
	return f
}

// Close closes the channel; what is under way fails, and can be continued.
func (f *Files) Close() error {
	err := f.calls.conn.Close()
	f.stop()
	f.work.Wait()
	return err
}

// read reads the channel until it ends, and returns why.
func (f *Files) read(ctx context.Context) error {
	for {
		m, err := f.calls.conn.Receive(ctx)
		if err == nil && m.Text {
			err = f.message(m.Data)
		} else if err == nil {
			err = f.table.Frame(m.Data)
		}
		if err != nil {
			return err
		}
	}
}

func (f *Files) message(data []byte) error {
	answer, err := channel.DecodeFilesAnswer(data)
	switch {
	case err != nil:
		return err
	case answer.Transfer != (channel.Transfer{}):
		return f.table.Message(answer.Transfer)
	case answer.ID == 0 && answer.Error != nil:
		return answer.Error // of the channel itself
	}
	if !f.calls.answer(answer.ID, answer) {
		return f.decline(answer)
	}
	return nil
}

// decline ends a transfer that the endpoint has begun for nobody.
func (f *Files) decline(a channel.FilesAnswer) error {
	if a.Opened == nil {
		return nil
	}
	return f.table.Answer(channel.Transfer{Cancel: &channel.TransferCancel{Number: a.Opened.Number, Keep: true}})
}

// ask sends a request with one answer.
func (f *Files) ask(ctx context.Context, request channel.FilesRequest) (answer channel.FilesAnswer, err error) {
	err = f.calls.ask(ctx, func(id int) any {
		request.ID = id
		return request
	}, func(a channel.FilesAnswer) (bool, error) {
		answer = a
		return true, refused(a.Error)
	})
	return answer, err
}

// List returns what is in a folder, by name. cut reports that it has more than channel.MaxEntries.
func (f *Files) List(ctx context.Context, path string) (entries []channel.FileEntry, cut bool, err error) {
	err = f.calls.ask(ctx, func(id int) any {
		return channel.FilesRequest{ID: id, List: &channel.FilePath{Path: path}}
	}, func(a channel.FilesAnswer) (bool, error) {
		entries, cut = append(entries, a.Entries...), a.Cut
		return !a.More, refused(a.Error)
	})
	if err != nil {
		return nil, false, err
	}
	return entries, cut, nil
}

// Stat returns what a path is; a link is not followed.
func (f *Files) Stat(ctx context.Context, path string) (channel.FileEntry, error) {
	a, err := f.ask(ctx, channel.FilesRequest{Stat: &channel.FilePath{Path: path}})
	switch {
	case err != nil:
		return channel.FileEntry{}, err
	case a.Entry == nil:
		return channel.FileEntry{}, errLacks
	}
	return *a.Entry, nil
}

// Roots returns places to begin.
func (f *Files) Roots(ctx context.Context) ([]channel.FileRoot, error) {
	a, err := f.ask(ctx, channel.FilesRequest{Roots: &channel.Nothing{}})
	return a.Roots, err
}

// Mkdir makes a folder.
func (f *Files) Mkdir(ctx context.Context, path string) error {
	_, err := f.ask(ctx, channel.FilesRequest{Mkdir: &channel.FilePath{Path: path}})
	return err
}

// Remove deletes a file or folder; recursive: a folder with all that is in it.
func (f *Files) Remove(ctx context.Context, path string, recursive bool) error {
	_, err := f.ask(ctx, channel.FilesRequest{Remove: &channel.FileRemove{Path: path, Recursive: recursive}})
	return err
}

// Rename moves a file or folder.
func (f *Files) Rename(ctx context.Context, from, to string, overwrite bool) error {
	_, err := f.ask(ctx, channel.FilesRequest{Rename: &channel.FileRename{From: from, To: to, Overwrite: overwrite}})
	return err
}

// errLacks: an answer lacks what it is for.
var errLacks = channel.Refuse(channel.CodeInvalid, "the answer lacks what was asked for")

// UploadOptions are those of an upload. The zero value replaces nothing.
type UploadOptions struct {
	Overwrite bool
	Modified  time.Time                 // of the file; zero: when it has arrived. With it an upload that was cut is continued only if it is the same.
	Progress  func(arrived, size int64) // nil: nobody wants to know
}

// Upload sends size bytes of content to a path of the endpoint, and goes on where an earlier upload of the same was cut. It returns the SHA-256 of the whole once the file has
// its name.
func (f *Files) Upload(ctx context.Context, path string, content io.ReaderAt, size int64, o UploadOptions) (channel.Sum, error) {
	request := channel.FileUpload{Path: path, Size: size, Overwrite: o.Overwrite}
	if !o.Modified.IsZero() {
		at := o.Modified.UTC()
		request.Modified = &at
	}
	source := transfer.Source{Content: content, Size: size}
	if o.Progress != nil {
		source.Progress = func(arrived int64) { o.Progress(arrived, size) }
	}
	var outgoing *transfer.Outgoing
	err := f.calls.ask(ctx, func(id int) any {
		return channel.FilesRequest{ID: id, Upload: &request}
	}, func(a channel.FilesAnswer) (_ bool, err error) {
		if outgoing, err = f.send(a, source); err != nil {
			err = errors.Join(err, f.decline(a))
		}
		return true, err
	})
	if outgoing == nil {
		return channel.Sum{}, err
	}
	return outgoing.Run(ctx)
}

// send takes the answer to an upload.
func (f *Files) send(a channel.FilesAnswer, source transfer.Source) (*transfer.Outgoing, error) {
	switch {
	case a.Error != nil:
		return nil, a.Error
	case a.Opened == nil:
		return nil, errLacks
	case a.Opened.Size != source.Size || !transfer.Between(a.Opened.Offset, source.Size):
		return nil, channel.Refuse(channel.CodeInvalid, "the endpoint wants %d of %d bytes", a.Opened.Offset, a.Opened.Size)
	}
	source.Offset = a.Opened.Offset
	return f.table.Send(a.Opened.Number, source)
}

// Download receives a file of the endpoint into part, which it takes over, and goes on where part ends if the file is still the same. It returns the SHA-256 of the whole once
// the file has its name. After any other end what has arrived is kept, to be continued. progress gets what is written; nil: nobody wants to know.
func (f *Files) Download(ctx context.Context, path string, part *transfer.Part, progress func(arrived, size int64)) (channel.Sum, error) {
	incoming, err := f.begin(ctx, path, part, progress)
	if refusal := (*channel.Error)(nil); errors.As(err, &refusal) && refusal.Code == channel.CodeChanged && part.Offset() > 0 {
		if err = part.Begin(transfer.Origin{}); err == nil {
			incoming, err = f.begin(ctx, path, part, progress)
		}
	}
	if incoming == nil {
		return channel.Sum{}, errors.Join(err, part.Close(true))
	}
	return incoming.Wait(ctx, true) // also after an error of ctx: it owns the part
}

// begin asks for a file; its transfer is in the table before the first frame is read.
func (f *Files) begin(ctx context.Context, path string, part *transfer.Part, progress func(arrived, size int64)) (incoming *transfer.Incoming, err error) {
	err = f.calls.ask(ctx, func(id int) any {
		return channel.FilesRequest{ID: id, Download: &channel.FileDownload{Path: path, Offset: part.Offset(), Version: part.Origin().Version}}
	}, func(a channel.FilesAnswer) (_ bool, err error) {
		if incoming, err = f.receive(a, part, progress); err != nil {
			err = errors.Join(err, f.decline(a))
		}
		return true, err
	})
	return incoming, err
}

// receive takes the answer to a download.
func (f *Files) receive(a channel.FilesAnswer, part *transfer.Part, progress func(arrived, size int64)) (*transfer.Incoming, error) {
	switch {
	case a.Error != nil:
		return nil, a.Error
	case a.Opened == nil:
		return nil, errLacks
	}
	o := a.Opened
	origin := transfer.Origin{Size: o.Size, Version: o.Version}
	if o.Offset != part.Offset() || o.Offset > 0 && origin != part.Origin() {
		return nil, channel.Refuse(channel.CodeInvalid, "the endpoint begins at %d of %d", o.Offset, o.Size)
	}
	if o.Offset == 0 {
		if err := part.Begin(origin); err != nil {
			return nil, err
		}
	}
	target := part.Target()
	if progress != nil {
		target.Sink = watched{part, o.Size, progress}
	}
	return f.table.Receive(o.Number, target)
}

// watched tells how much has arrived.
type watched struct {
	*transfer.Part
	size     int64
	progress func(arrived, size int64)
}

// WriteBlock implements transfer.Sink.
func (w watched) WriteBlock(offset int64, data []byte, sum channel.Sum) error {
	err := w.Part.WriteBlock(offset, data, sum)
	if err == nil {
		w.progress(offset+int64(len(data)), w.size)
	}
	return err
}
