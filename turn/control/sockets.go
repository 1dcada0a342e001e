package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// SocketKind says what comes in on a socket.
type SocketKind string

// The kinds of sockets.
const (
	SocketUDP     SocketKind = "udp"     // datagrams of clients
	SocketTCP     SocketKind = "tcp"     // connections of clients
	SocketStreams SocketKind = "streams" // a listening Unix socket: connections that serve hands on, each behind a PROXY header
)

// Socket is one open socket that a child inherits.
type Socket struct {
	Kind SocketKind `json:"kind"`
	Addr string     `json:"addr"` // where it is bound; a path for SocketStreams
}

// maxSocketPath is the longest path of a Unix socket everywhere (104 bytes with a zero on macOS, 108 on Linux).
const maxSocketPath = 100

// Sockets are the open sockets that every child inherits. The server opens them once and never reads them: what waits in them is the next child's.
type Sockets struct {
	list    []Socket
	files   []*os.File
	streams string // path of the Unix socket; empty: none
	dir     string // made for it; empty: none
	closed  bool
}

// descriptor is a socket of package net.
type descriptor interface {
	SyscallConn() (syscall.RawConn, error)
	Close() error
}

// AddUDP takes a socket for datagrams over, also where it fails.
func (s *Sockets) AddUDP(c *net.UDPConn) error { return s.add(SocketUDP, c.LocalAddr().String(), c) }

// AddTCP takes a listener over, also where it fails.
func (s *Sockets) AddTCP(l *net.TCPListener) error { return s.add(SocketTCP, l.Addr().String(), l) }

// AddStreams opens the socket on which ServeConn reaches the child: in dir, or where that path is too long for a socket in a directory of its own.
func (s *Sockets) AddStreams(dir string) error {
	path := filepath.Join(dir, "turn.sock")
	if len(path) > maxSocketPath {
		made, err := os.MkdirTemp("", "signalbox-turn-")
		if err != nil {
			return fmt.Errorf("make a directory for the socket to the TURN process: %w", err)
		}
		s.dir, path = made, filepath.Join(made, "turn.sock")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a server that was killed
		return fmt.Errorf("remove the last socket to the TURN process: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("open the socket to the TURN process: %w", err)
	}
	l.SetUnlinkOnClose(false) // add closes it and keeps a copy
	s.streams = path
	return errors.Join(os.Chmod(path, 0o600), s.add(SocketStreams, path, l))
}

// add keeps a copy of the descriptor that the runtime does not watch, and closes c: otherwise each datagram for the child would wake this process, too.
func (s *Sockets) add(kind SocketKind, addr string, c descriptor) error {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("keep %s %s: %w", kind, addr, err)
	}
	fd, errDup := -1, error(nil)
	err = raw.Control(func(from uintptr) {
		if fd, errDup = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0); errDup == nil {
			errDup = unix.SetNonblock(fd, false) // os.NewFile watches what is not blocking
		}
	})
	if err = errors.Join(err, errDup); err != nil {
		return fmt.Errorf("keep %s %s: %w", kind, addr, err)
	}
	s.list = append(s.list, Socket{Kind: kind, Addr: addr})
	s.files = append(s.files, os.NewFile(uintptr(fd), addr))
	return nil
}

// List returns what there is, in the order in which a child inherits it.
func (s *Sockets) List() []Socket { return s.list }

// Close closes all, once, and removes what AddStreams made. A child that has them goes on.
func (s *Sockets) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	if s.streams != "" {
		errs = append(errs, os.Remove(s.streams))
	}
	if s.dir != "" {
		errs = append(errs, os.Remove(s.dir))
	}
	return errors.Join(errs...)
}
