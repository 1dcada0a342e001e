//go:build unix

package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const othersMode = 0o077 // what the group and others may do with a file

// private refuses a file that others than its owner can read or change. The error continues a sentence.
func private(info fs.FileInfo) error {
	if info.Mode().Perm()&othersMode != 0 {
		return fmt.Errorf("is open to others (mode %04o): make it its owner's alone with chmod 600", info.Mode().Perm())
	}
	return nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
