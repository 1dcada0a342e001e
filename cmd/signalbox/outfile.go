package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"signalbox/internal/datadir"
)

// part ends the name of a file while it is written.
const part = ".part"

// outFile is the flag that says where an archive goes.
type outFile struct{ path string }

func (o *outFile) flag(c *cobra.Command, usage string) {
	c.Flags().StringVar(&o.path, "output", "", usage)
}

// write has an archive written: to standard output for "-", else to a new file that only its owner can read, whole and on stable storage or not at all.
func (o *outFile) write(stdout io.Writer, archive func(io.Writer) error) error {
	if o.path == "-" {
		return archive(stdout)
	}
	if _, err := os.Lstat(o.path); err == nil {
		return fmt.Errorf("%s is there already: name another file", o.path)
	}
	f, err := os.OpenFile(o.path+part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s%s is there already: another command writes it, or one was cut off; in that case remove it", o.path, part)
	}
	if err != nil {
		return err
	}
	err = errors.Join(archive(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return datadir.SyncDir(filepath.Dir(o.path))
}

// text is where a command tells people what it did: not where its archive goes.
func (o *outFile) text(c *cobra.Command) io.Writer {
	if o.path == "-" {
		return c.ErrOrStderr()
	}
	return c.OutOrStdout()
}
