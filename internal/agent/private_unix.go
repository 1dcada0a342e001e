//go:build unix

package agent

import (
	"fmt"
	"os"
)

// private refuses a file that every user of this machine can read or change.
func private(path string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := fi.Mode().Perm(); mode&0o007 != 0 {
		return fmt.Errorf("%s has mode %04o, so every user can get at the secret; run chmod o-rwx on it", path, mode)
	}
	return nil
}
