package files

import (
	"errors"
	"io/fs"
	"os"

	"signalbox/internal/channel"
	"signalbox/internal/telemetry"
)

// mkdir makes a folder.
func (s *serving) mkdir(path string) (channel.FilesAnswer, error) {
	root, name, err := s.tree.parent(path)
	if err != nil {
		return channel.FilesAnswer{}, err
	}
	defer root.Close()
	if err := root.Mkdir(name, 0o777); err != nil {
		return channel.FilesAnswer{}, err
	}
	s.session.Log.Info("folder made", telemetry.File(path))
	return channel.FilesAnswer{Made: true}, nil
}

// remove deletes a file, a link or a folder.
func (s *serving) remove(path string, recursive bool) (channel.FilesAnswer, error) {
	root, name, err := s.tree.parent(path)
	if err != nil {
		return channel.FilesAnswer{}, err
	}
	defer root.Close()
	if name == "." {
		return channel.FilesAnswer{}, channel.Refuse(channel.CodeNotPermitted, "%s is all that there is", path)
	}
	if _, err := root.Lstat(name); err != nil {
		return channel.FilesAnswer{}, err // RemoveAll would say nothing
	}
	if recursive {
		err = root.RemoveAll(name)
	} else {
		err = root.Remove(name)
	}
	if err != nil {
		return channel.FilesAnswer{}, err
	}
	s.session.Log.Info("file removed", telemetry.File(path))
	return channel.FilesAnswer{Removed: true}, nil
}

// rename moves a file or folder. What is there is replaced only if it is a regular file, and that is wanted.
func (s *serving) rename(from, to string, overwrite bool) (channel.FilesAnswer, error) {
	if err := s.replaceable(from, to, overwrite); err != nil {
		return channel.FilesAnswer{}, err
	}
	if err := s.tree.rename(from, to); err != nil {
		return channel.FilesAnswer{}, err
	}
	s.session.Log.Info("file renamed", telemetry.File(from), telemetry.Detail("is "+to))
	return channel.FilesAnswer{Renamed: true}, nil
}

// replaceable reports whether a file may be moved to a path. Another spelling of its own name is no other file.
func (s *serving) replaceable(from, to string, overwrite bool) error {
	is, err := s.tree.lstat(from)
	if err != nil {
		return err
	}
	there, err := s.tree.lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(is, there):
		return nil
	case err != nil:
		return err
	}
	return mayReplace(there, overwrite)
}

// mayReplace reports whether what is there may be replaced.
func mayReplace(there fs.FileInfo, overwrite bool) error {
	switch {
	case !overwrite:
		return channel.Refuse(channel.CodeExists, "%s is there already", there.Name())
	case !there.Mode().IsRegular():
		return errNoFile
	}
	return nil
}

// lstat looks at a path without following it.
func (t tree) lstat(path string) (fs.FileInfo, error) {
	root, name, err := t.parent(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Lstat(name)
}
