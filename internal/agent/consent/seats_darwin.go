package consent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// systemSeats finds nobody: on this system nobody can be asked yet.
func systemSeats(string) seats {
	return func(context.Context) ([]seat, error) { return nil, errors.ErrUnsupported }
}

// systemUsers returns the user in front of the screen, to whom the console belongs; root while nobody is logged in. Built and vetted, not run by our tests.
func systemUsers(context.Context) ([]uint32, error) {
	const console = "/dev/console"
	info, err := os.Stat(console)
	if err != nil {
		return nil, fmt.Errorf("see whose the console is: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("%s has no owner", console)
	}
	return []uint32{st.Uid}, nil
}
