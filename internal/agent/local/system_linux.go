package local

import (
	"net"

	"golang.org/x/sys/unix"
)

// runningDir is where programs of the system have what lives as long as they run.
const runningDir = "/run"

// identifies says that it is known who connects.
const identifies = true

// peer returns the number of the user who connected: SO_PEERCRED, unix(7).
func peer(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var errAsk error
	if err := raw.Control(func(fd uintptr) { cred, errAsk = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, err
	}
	if errAsk != nil {
		return 0, errAsk
	}
	return cred.Uid, nil
}
