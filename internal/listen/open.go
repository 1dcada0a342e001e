package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// OpenTCP opens all addresses or none. Key is the configuration key that holds them, such as "listen.api": the error names it, the
// address, and what to do. Accepted connections have TCP keep-alive after a minute of silence.
func OpenTCP(ctx context.Context, key string, addrs []string) ([]net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}}
	lc.SetMultipathTCP(false) // each socket would cost more kernel memory for something that no endpoint uses
	var opened []net.Listener
	for _, a := range addrs {
		ln, err := lc.Listen(ctx, "tcp", a)
		if err != nil {
			for _, o := range opened {
				_ = o.Close() // nothing was accepted on it
			}
			return nil, openError(key, a, err)
		}
		opened = append(opened, ln)
	}
	return opened, nil
}

// OpenUDP opens a socket for datagrams on each address, or none; errors are those of OpenTCP.
func OpenUDP(ctx context.Context, key string, addrs []string) ([]*net.UDPConn, error) {
	var lc net.ListenConfig
	var opened []*net.UDPConn
	for _, a := range addrs {
		c, err := lc.ListenPacket(ctx, "udp", a)
		if err != nil {
			for _, o := range opened {
				_ = o.Close() // nothing was read from it
			}
			return nil, openError(key, a, err)
		}
		opened = append(opened, c.(*net.UDPConn))
	}
	return opened, nil
}

// openError says in words what the operator can do.
func openError(key, addr string, err error) error {
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "the port is taken by another program; stop it or change " + key
	case errors.Is(err, syscall.EACCES):
		advice = "not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE, or change " + key
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address; change " + key
	default:
		return fmt.Errorf("%s: open %s: %w", key, addr, err)
	}
	return fmt.Errorf("%s: open %s: %s: %w", key, addr, advice, err)
}
