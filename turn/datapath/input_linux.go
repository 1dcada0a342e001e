package datapath

import "golang.org/x/sys/unix"

const canTry = true

// readNow reads without waiting.
func readNow(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = unix.Read(int(fd), b)
		switch err {
		case nil:
			return n, false, nil
		case unix.EINTR:
			continue
		}
		return 0, err == unix.EAGAIN, err
	}
}
