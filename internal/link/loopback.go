package link

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// CheckLoopback refuses what is not host:port with a loopback address in digits: a name may lead elsewhere.
func CheckLoopback(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:5223", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535", addr)
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.Unmap().IsLoopback() {
		return fmt.Errorf("%q is not a loopback address such as 127.0.0.1 or [::1]: logins without TLS never leave this machine", host)
	}
	return nil
}
