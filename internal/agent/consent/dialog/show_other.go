//go:build !linux

package dialog

import (
	"errors"
	"time"
)

// Show is for X11 alone: other systems have dialogs of their own.
func Show(Task, func() time.Time, <-chan struct{}) (int, error) {
	return 0, errors.ErrUnsupported
}
