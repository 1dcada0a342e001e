package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/transfer"
	"signalbox/internal/signalling"
)

// maxRequests is how many requests of a channel are worked on at a time, transfers among them.
const maxRequests = 16

// instance is the capability in one session.
type instance struct {
	session capability.Session
	tree    tree
	uploads *uploads
}

// serving is one channel.
type serving struct {
	*instance
	conn  channel.Conn
	table *transfer.Table
	work  sync.WaitGroup // requests

	mu      sync.Mutex
	running int // requests
	last    int // number of the youngest transfer
}

// Serve implements capability.Instance. What is under way when the channel ends can be continued on another.
func (i *instance) Serve(ctx context.Context, c channel.Conn) error {
	defer c.Close()
	if !i.session.Has(channel.Files) {
		return capability.Malformed(ctx, c, i.session.Refuse(channel.Files))
	}
	group, life := errgroup.WithContext(ctx)
	s := &serving{instance: i, conn: c, table: transfer.NewTable(life, c)}
	group.Go(s.table.Run)
	group.Go(func() error { return s.read(life) })
	err := group.Wait()
	s.table.Close()
	s.work.Wait()
	if refusal := (*channel.Error)(nil); errors.As(err, &refusal) {
		return capability.Malformed(ctx, c, err)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// Close implements capability.Instance: nothing runs without a channel.
func (i *instance) Close() {}

// read takes messages until the channel ends, and returns why: io.EOF by the other side, an *channel.Error by a message that was malformed.
func (s *serving) read(ctx context.Context) error {
	for {
		m, err := s.conn.Receive(ctx)
		if err == nil && m.Text {
			err = s.message(ctx, m.Data)
		} else if err == nil {
			err = s.table.Frame(m.Data)
		}
		if err != nil {
			return err
		}
	}
}

func (s *serving) message(ctx context.Context, data []byte) error {
	r, err := channel.DecodeFilesRequest(data)
	if err != nil {
		return err
	}
	if r.Transfer != (channel.Transfer{}) {
		return s.table.Message(r.Transfer)
	}
	s.mu.Lock()
	busy := s.running >= maxRequests
	if !busy {
		s.running++
	}
	s.mu.Unlock()
	if busy {
		return s.table.Answer(channel.FilesAnswer{ID: r.ID, Error: channel.Refuse(channel.CodeTooLarge, "%d requests are worked on already", maxRequests)})
	}
	s.work.Go(func() {
		s.request(ctx, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running--
	})
	return nil
}

// request answers one request. If the channel does not take the answer, its reader knows.
func (s *serving) request(ctx context.Context, r channel.FilesRequest) {
	answer, err := s.do(ctx, r)
	if err != nil {
		answer = channel.FilesAnswer{Error: s.refusal(err)}
	}
	if answer.ID = r.ID; err != nil || answer.Entry != nil || answer.Roots != nil || answer.Made || answer.Removed || answer.Renamed {
		_ = capability.Send(ctx, s.conn, answer)
	}
}

// do does what a request asks for. An answer that says nothing was sent already.
func (s *serving) do(ctx context.Context, r channel.FilesRequest) (answer channel.FilesAnswer, err error) {
	if r.Roots != nil {
		return s.roots(), nil
	}
	permission, path := need(r)
	if !s.session.May(permission) {
		return answer, s.session.Refuse(permission)
	}
	path, err = cleanHere(path)
	if err != nil {
		return answer, err
	}
	switch {
	case r.List != nil:
		return answer, s.list(ctx, r.ID, path)
	case r.Stat != nil:
		return s.stat(path)
	case r.Mkdir != nil:
		return s.mkdir(path)
	case r.Remove != nil:
		return s.remove(path, r.Remove.Recursive)
	case r.Upload != nil:
		return answer, s.upload(ctx, r.ID, path, *r.Upload)
	case r.Download != nil:
		return answer, s.download(ctx, r.ID, path, *r.Download)
	}
	to, err := cleanHere(r.Rename.To)
	if err != nil {
		return answer, err
	}
	return s.rename(path, to, r.Rename.Overwrite)
}

// need is the permission that a request needs, and the path that it is about.
func need(r channel.FilesRequest) (permission, path string) {
	switch {
	case r.List != nil:
		return channel.MayReadFiles, r.List.Path
	case r.Stat != nil:
		return channel.MayReadFiles, r.Stat.Path
	case r.Download != nil:
		return channel.MayReadFiles, r.Download.Path
	case r.Mkdir != nil:
		return channel.MayWriteFiles, r.Mkdir.Path
	case r.Remove != nil:
		return channel.MayWriteFiles, r.Remove.Path
	case r.Upload != nil:
		return channel.MayWriteFiles, r.Upload.Path
	}
	return channel.MayWriteFiles, r.Rename.From
}

// escapes is the error of an os.Root about a link that leads out of it, which has no name to be told by from the one about a file that is taken for a folder.
const escapes = "path escapes from parent"

// refusal is what the other side is told of an error. Of a path that leads where sessions do not get the server hears, too.
func (s *serving) refusal(err error) *channel.Error {
	var of *fs.PathError
	var errno syscall.Errno
	if errors.As(err, &of) && !errors.As(of.Err, &errno) && !errors.Is(err, fs.ErrNotExist) { // of an os.Root itself, not of the system
		refused := channel.Refuse(channel.CodeNotPermitted, "%s leads where sessions do not get", of.Path)
		if err = refused; of.Err.Error() == escapes {
			err = astray{refused}
		}
	}
	if errors.As(err, new(astray)) {
		s.session.Tell(signalling.BlockedPath)
	}
	return capability.Refusal(err)
}

// number gives a transfer its number.
func (s *serving) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.last
}
