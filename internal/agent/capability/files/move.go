package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/transfer"
	"signalbox/internal/telemetry"
)

// download sends a file. An error is one of its beginning; what comes later is said in the transfer.
func (s *serving) download(ctx context.Context, id int, path string, d channel.FileDownload) error {
	f, is, err := s.tree.open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	v := version(is)
	switch {
	case d.Offset > 0 && d.Version != v:
		return channel.Refuse(channel.CodeChanged, "%s has changed", path)
	case !transfer.Between(d.Offset, is.Size()):
		return channel.Refuse(channel.CodeInvalid, "%d is no place between two blocks of the file", d.Offset)
	}
	number := s.number()
	outgoing, err := s.table.Send(number, transfer.Source{Content: f, Size: is.Size(), Offset: d.Offset, Check: func() error { return unchanged(f, is) }})
	if err != nil {
		return err
	}
	open := channel.TransferOpen{Number: number, Offset: d.Offset, Size: is.Size(), Version: v, Block: channel.BlockSize}
	if err := capability.Send(ctx, s.conn, channel.FilesAnswer{ID: id, Opened: &open}); err != nil {
		return err
	}
	sum, err := outgoing.Run(ctx)
	s.told("file fetched", path, sum, err)
	return nil
}

// version is a text that stays the same while a file does.
func version(fi fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", fi.Size(), fi.ModTime().UnixNano(), inode(fi))
}

// unchanged reports whether what was read of a file is still what it is. One that has only grown, as logs do, is.
func unchanged(f *os.File, was fs.FileInfo) error {
	is, err := f.Stat()
	if err != nil {
		return err
	}
	if is.Size() <= was.Size() && version(is) != version(was) {
		return channel.Refuse(channel.CodeChanged, "the file has changed while it was read")
	}
	return nil
}

// upload receives a file. An error is one of its beginning; what comes later is said in the transfer.
func (s *serving) upload(ctx context.Context, id int, path string, u channel.FileUpload) error {
	moving, cancel := context.WithCancel(ctx)
	defer cancel()
	key := resolved(path)
	running, err := s.uploads.begin(key, s.session.ID, cancel)
	if err != nil {
		return err
	}
	defer s.uploads.end(key, running)
	part, err := s.part(moving, path, u)
	if err != nil {
		return err
	}
	number, offset := s.number(), part.Offset()
	incoming, err := s.table.Receive(number, part.Target())
	if err != nil {
		return errors.Join(err, part.Close(true))
	}
	open := channel.TransferOpen{Number: number, Offset: offset, Size: u.Size, Block: channel.BlockSize}
	if err := capability.Send(ctx, s.conn, channel.FilesAnswer{ID: id, Opened: &open}); err != nil {
		cancel() // the part is kept by Wait
	}
	sum, err := incoming.Wait(moving, true)
	s.told("file received", path, sum, err)
	return nil
}

// resolved is a path whose folder is spelled without links, so that two uploads to one file are known as such.
func resolved(path string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path // there is no such folder, which is found out soon
	}
	return filepath.Join(dir, filepath.Base(path))
}

// part opens what is to become a file, and what there is of it already.
func (s *serving) part(ctx context.Context, path string, u channel.FileUpload) (*transfer.Part, error) {
	root, name, err := s.tree.parent(path)
	if err != nil {
		return nil, err
	}
	if there, err := root.Lstat(name); err == nil {
		if err := mayReplace(there, u.Overwrite); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	origin := transfer.Origin{Size: u.Size}
	if u.Modified != nil {
		origin.Version = u.Modified.UTC().Format(time.RFC3339Nano)
	}
	part, err := transfer.OpenPart(ctx, root, name, func(o transfer.Origin) bool { return o == origin })
	if err != nil {
		return nil, err
	}
	if part.Overwrite = u.Overwrite; u.Modified != nil {
		part.Modified = *u.Modified
	}
	if part.Origin() != origin {
		err = part.Begin(origin)
	}
	if err == nil {
		err = room(ctx, filepath.Dir(path), u.Size-part.Offset())
	}
	if err != nil {
		return nil, errors.Join(err, part.Close(part.Offset() > 0))
	}
	return part, nil
}

// room reports whether there is room for so many more bytes in a folder.
func room(ctx context.Context, folder string, bytes int64) error {
	u, err := disk.UsageWithContext(ctx, folder)
	if err != nil {
		return nil // a system that does not tell says so when it is full
	}
	if uint64(bytes) > u.Free {
		return channel.Refuse(channel.CodeTooLarge, "%d bytes are wanted in %s, and %d are free", bytes, folder, u.Free)
	}
	return nil
}

// told logs the end of a transfer.
func (s *serving) told(what, path string, sum channel.Sum, err error) {
	fields := []zap.Field{telemetry.File(path)}
	if err != nil {
		s.session.Log.Info("file transfer ended early", append(fields, telemetry.Cause(err))...)
		return
	}
	s.session.Log.Info(what, append(fields, telemetry.Detail("SHA-256 "+sum.String()))...)
}
