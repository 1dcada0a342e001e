package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"signalbox/internal/channel"
)

// tree is what sessions get at: all that the system shows the agent, or a folder that nothing leads out of. Paths are clean. A name "." is the folder that was opened itself.
type tree struct {
	confined string // the folder; empty: all
}

// inside opens the folder of a tree that is confined, and returns what a path is in there.
func (t tree) inside(path string) (*os.Root, string, error) {
	rel, err := filepath.Rel(t.confined, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, "", t.outside()
	}
	root, err := os.OpenRoot(t.confined)
	return root, rel, err
}

// outside is the refusal of a path that is not in the folder.
func (t tree) outside() error {
	return astray{channel.Refuse(channel.CodeNotPermitted, "sessions get at files in %s alone", t.confined)}
}

// folder opens a folder.
func (t tree) folder(path string) (*os.Root, error) {
	if t.confined == "" {
		return os.OpenRoot(path)
	}
	root, rel, err := t.inside(path)
	if err != nil || rel == "." {
		return root, err
	}
	defer root.Close()
	return root.OpenRoot(rel)
}

// parent opens the folder that a path is in, and returns its name there; "." if it is in none that may be opened.
func (t tree) parent(path string) (*os.Root, string, error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	if dir == path || path == t.confined {
		dir, name = path, "."
	}
	root, err := t.folder(dir)
	return root, name, err
}

// open opens a regular file for reading, behind links as well. What is something else is not touched: opening a device may do things, and opening a pipe waits.
func (t tree) open(path string) (*os.File, fs.FileInfo, error) {
	stat, open := os.Stat, os.OpenFile
	if t.confined != "" {
		root, rel, err := t.inside(path)
		if err != nil {
			return nil, nil, err
		}
		defer root.Close()
		path, stat, open = rel, root.Stat, root.OpenFile
	}
	was, err := stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !was.Mode().IsRegular() {
		return nil, nil, errNoFile
	}
	f, err := open(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, nil, err
	}
	is, err := f.Stat()
	if err == nil && !os.SameFile(was, is) {
		err = channel.Refuse(channel.CodeChanged, "the file was replaced while it was opened")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, is, nil
}

// errNoFile refuses to send or replace what is no regular file.
var errNoFile = channel.Refuse(channel.CodeInvalid, "it is no regular file")

// follow looks behind a link in a folder.
func (t tree) follow(folder, name string) (fs.FileInfo, error) {
	path := filepath.Join(folder, name)
	if t.confined == "" {
		return os.Stat(path)
	}
	root, rel, err := t.inside(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(rel)
}

// rename moves what is at one path to another.
func (t tree) rename(from, to string) error {
	if t.confined == "" {
		return os.Rename(from, to)
	}
	root, relFrom, err := t.inside(from)
	if err != nil {
		return err
	}
	defer root.Close()
	relTo, err := filepath.Rel(t.confined, to)
	if err != nil || !filepath.IsLocal(relTo) {
		return t.outside()
	}
	return root.Rename(relFrom, relTo)
}
