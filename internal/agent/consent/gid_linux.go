package consent

import (
	"os/user"
	"strconv"
)

// gidOf returns the primary group of a user; nobody's if that is not known, which is enough to show a window.
func gidOf(uid uint32) uint32 {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return 65534
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return 65534
	}
	return uint32(gid)
}
