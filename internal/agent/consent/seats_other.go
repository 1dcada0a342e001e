//go:build !linux && !windows && !darwin

package consent

import (
	"context"
	"errors"
)

// systemSeats finds nobody: on this system nobody can be asked yet.
func systemSeats(string) seats {
	return func(context.Context) ([]seat, error) { return nil, errors.ErrUnsupported }
}

// systemUsers does not know who is there.
func systemUsers(context.Context) ([]uint32, error) { return nil, errors.ErrUnsupported }
