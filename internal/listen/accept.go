package listen

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/telemetry"
)

// The kinds of failed accepts, as the metric has them.
const (
	errFiles   = "files"   // no file descriptor left
	errMemory  = "memory"  // no kernel memory left
	errAborted = "aborted" // the client was gone before
	errOther   = "other"
)

func acceptErrorKinds() []string { return []string{errFiles, errMemory, errAborted, errOther} }

func acceptErrorKind(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return errFiles
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return errMemory
	case errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.ECONNRESET):
		return errAborted
	}
	return errOther
}

// acceptRest bounds the pause after failed accepts: it doubles from the first value to the second.
const (
	acceptRestMin = 5 * time.Millisecond
	acceptRestMax = time.Second
)

// accept takes connections until the socket is closed. Nothing that a connection does can hold it up; when the system has no
// descriptor left it rests and goes on, because they come back as connections close.
func (s *Server) accept(ctx context.Context, p *port, ln net.Listener, l *loop) {
	defer l.ended.Store(true)
	var rest time.Duration
	var told time.Time
	var full bool // the last connection found no place
	for {
		l.waits()
		raw, err := ln.Accept()
		l.works()
		if err == nil {
			rest = 0
			full = !s.begin(ctx, p, raw, !full)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		kind := acceptErrorKind(err)
		s.metrics.acceptErr.WithLabelValues(kind).Inc()
		if kind == errAborted {
			continue
		}
		if time.Since(told) >= time.Minute {
			told = time.Now()
			s.log.Error("cannot accept connections for the moment", telemetry.Listener(p.name, p.addr), telemetry.Reason(kind), zap.Error(err))
		}
		rest = min(max(2*rest, acceptRestMin), acceptRestMax)
		select {
		case <-ctx.Done():
			return
		case <-s.stopped:
			return
		case <-time.After(rest):
		}
	}
}

// begin admits one connection and starts its way. It reports whether there was a place.
func (s *Server) begin(ctx context.Context, p *port, raw net.Conn, patient bool) bool {
	c := s.admit(p, raw, patient)
	if c == nil {
		s.metrics.closed.WithLabelValues(string(TooMany)).Inc()
		s.observe(p.name, &conn{remote: addrPort(raw.RemoteAddr())}, &refusal{reason: TooMany}, false)
		_ = raw.Close() // it is new: there is nothing to lose
		return false
	}
	s.running.Go(func() { s.lead(ctx, p, c) })
	return true
}

// backlogWanted is the number of connections that the kernel should hold while we accept: a whole fleet may come back at once.
const backlogWanted = 4096

// warnBacklog tells operators of Linux when the kernel holds fewer.
func (s *Server) warnBacklog() {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err != nil {
		return // not Linux, or hidden: nothing to advise
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n >= backlogWanted {
		return
	}
	s.log.Warn("the kernel drops connections when many come at once; set net.core.somaxconn to 4096 or more", telemetry.Count(n))
}
