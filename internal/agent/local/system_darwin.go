package local

import (
	"net"

	"golang.org/x/sys/unix"
)

// runningDir is where programs of the system have what lives as long as they run.
const runningDir = "/var/run"

// identifies says that it is known who connects.
const identifies = true

// peer returns the number of the user who connected: LOCAL_PEERCRED, unix(4). Built and vetted, not run by our tests.
func peer(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Xucred
	var errAsk error
	if err := raw.Control(func(fd uintptr) { cred, errAsk = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED) }); err != nil {
		return 0, err
	}
	if errAsk != nil {
		return 0, errAsk
	}
	return cred.Uid, nil
}
