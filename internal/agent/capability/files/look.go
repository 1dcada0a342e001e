package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
)

// list sends what is in a folder, by name.
func (s *serving) list(ctx context.Context, id int, path string) error {
	entries, cut, err := s.tree.read(ctx, path)
	if err != nil {
		return err
	}
	return channel.Pieces(entries, func(piece []channel.FileEntry, more bool) error {
		return capability.Send(ctx, s.conn, channel.FilesAnswer{ID: id, Path: path, Entries: piece, More: more, Cut: cut && !more})
	})
}

// read reads a folder; cut: it has more than channel.MaxEntries.
func (t tree) read(ctx context.Context, path string) (entries []channel.FileEntry, cut bool, err error) {
	root, err := t.folder(path)
	if err != nil {
		return nil, false, err
	}
	defer root.Close()
	f, err := root.Open(".")
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(channel.MaxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	cut = len(names) > channel.MaxEntries
	names = names[:min(len(names), channel.MaxEntries)]
	slices.Sort(names)
	entries = make([]channel.FileEntry, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		if e, err := t.entry(root, path, name); err == nil { // else it is gone by now
			entries = append(entries, e)
		}
	}
	return entries, cut, nil
}

// entry looks at one name in a folder.
func (t tree) entry(root *os.Root, folder, name string) (channel.FileEntry, error) {
	fi, err := root.Lstat(name)
	if err != nil {
		return channel.FileEntry{}, err
	}
	mode := fi.Mode()
	e := channel.FileEntry{Name: name, Kind: channel.KindOther, Modified: fi.ModTime().UTC(), Mode: mode.Perm().String()[1:]}
	switch {
	case mode.IsRegular():
		e.Kind, e.Size = channel.KindFile, fi.Size()
	case mode.IsDir():
		e.Kind = channel.KindDir
	case mode&fs.ModeSymlink != 0:
		e.Kind = channel.KindLink
		e.Target, _ = root.Readlink(name) // one that cannot be read leads nowhere
		to, err := t.follow(folder, name)
		e.Folder = err == nil && to.IsDir()
	}
	return e, nil
}

// stat looks at a path.
func (s *serving) stat(path string) (channel.FilesAnswer, error) {
	root, name, err := s.tree.parent(path)
	if err != nil {
		return channel.FilesAnswer{}, err
	}
	defer root.Close()
	e, err := s.tree.entry(root, filepath.Dir(path), name)
	if name == "." {
		e.Name = path
	}
	return channel.FilesAnswer{Entry: &e}, err
}

// roots lists places to begin.
func (s *serving) roots() channel.FilesAnswer {
	if c := s.tree.confined; c != "" {
		return channel.FilesAnswer{Roots: []channel.FileRoot{{Name: filepath.Base(c), Path: c}}}
	}
	roots := []channel.FileRoot{}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		roots = append(roots, channel.FileRoot{Name: "home", Path: home})
	}
	for _, drive := range drives() {
		roots = append(roots, channel.FileRoot{Name: drive, Path: drive})
	}
	return channel.FilesAnswer{Roots: roots}
}
