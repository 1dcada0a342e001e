package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// Bounds of a handed on connection's begin.
const (
	headerTimeout = 5 * time.Second
	maxHeader     = 512 // bytes of a PROXY header behind its fixed part; ours has 36 at most
	fixedHeader   = 16  // signature, command, family, length (PROXY protocol, section 2.2)
)

// StreamHandler takes a connection that a server handed on: TURN bytes of a client at remote, which reached the server at local. It owns the connection.
type StreamHandler func(ctx context.Context, c net.Conn, local, remote netip.AddrPort)

// ServeStreams accepts handed on connections, reads their headers and gives them to handle, until ctx ends. It closes l and returns when every handle has.
// An accept that fails, as when no more files can be opened, is tried again.
func ServeStreams(ctx context.Context, l net.Listener, handle StreamHandler) error {
	return acceptAll(ctx, l, func(ctx context.Context, c net.Conn) {
		local, remote, err := readHeader(c)
		if err != nil {
			_ = c.Close() // nothing was understood of it
			return
		}
		handle(ctx, c, local, remote)
	})
}

// acceptAll runs each connection in a goroutine of its own, until ctx ends; then it waits for all of them.
func acceptAll(ctx context.Context, l net.Listener, serve func(context.Context, net.Conn)) error {
	unwatch := context.AfterFunc(ctx, func() { _ = l.Close() }) // so that the accept below ends
	defer unwatch()
	defer l.Close()
	var running sync.WaitGroup
	defer running.Wait()
	pause := backoff{low: 5 * time.Millisecond, high: time.Second}
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause.reset()
			running.Go(func() { serve(ctx, c) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		default:
			pause.wait(ctx)
		}
	}
}

// writeHeader writes the PROXY header, version 2, of a client at remote that was accepted at local.
func writeHeader(c net.Conn, local, remote netip.AddrPort) error {
	if err := c.SetWriteDeadline(time.Now().Add(headerTimeout)); err != nil {
		return err
	}
	_, err := proxyproto.HeaderProxyFromAddrs(2, net.TCPAddrFromAddrPort(remote), net.TCPAddrFromAddrPort(local)).WriteTo(c)
	return err
}

// readHeader reads the header and not a byte more.
func readHeader(c net.Conn) (local, remote netip.AddrPort, err error) {
	if err := c.SetReadDeadline(time.Now().Add(headerTimeout)); err != nil {
		return local, remote, err
	}
	local, remote, err = parseHeader(c)
	if err != nil {
		return local, remote, fmt.Errorf("read the header of a stream: %w", err)
	}
	return local, remote, c.SetReadDeadline(time.Time{})
}

func parseHeader(r io.Reader) (local, remote netip.AddrPort, err error) {
	text := make([]byte, fixedHeader, 64)
	if _, err := io.ReadFull(r, text); err != nil {
		return local, remote, err
	}
	rest := int(binary.BigEndian.Uint16(text[fixedHeader-2:]))
	if rest > maxHeader {
		return local, remote, proxyproto.ErrInvalidLength
	}
	text = append(text, make([]byte, rest)...)
	if _, err := io.ReadFull(r, text[fixedHeader:]); err != nil {
		return local, remote, err
	}
	h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return local, remote, err
	}
	from, to, ok := h.TCPAddrs()
	if !ok || h.Command.IsLocal() || h.Version != 2 {
		return local, remote, errors.New("the PROXY header has no TCP addresses")
	}
	return unmapped(to.AddrPort()), unmapped(from.AddrPort()), nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
