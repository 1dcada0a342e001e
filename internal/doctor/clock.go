package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Bounds of what is well: receivers of signed events refuse those that are five minutes off, and credentials of TURN live as long.
const (
	wrongClock = 5 * time.Minute
	offClock   = 30 * time.Second
)

const setClock = "set the clock, and have a time service keep it, such as chrony or systemd-timesyncd: certificates, signatures and credentials are judged by it"

// clock is the step clock: does this machine's clock agree with the management server's, or from outside with the server's?
func (x *examination) clock(ctx context.Context) {
	const check = "this machine's clock"
	whose, theirs, err := x.otherClock(ctx)
	switch {
	case err == nil:
		x.judgeClock(check, whose, theirs)
	case x.unsynced:
		x.warn(ClockUnsynced, check, x.now.UTC().Format(time.RFC3339)+"; the system says that it follows no time server", "run a time service, such as chrony or systemd-timesyncd")
	default:
		x.well(check, x.now.UTC().Format(time.RFC3339)+"; there was no other clock to compare it with: "+err.Error(), "")
	}
}

func (x *examination) judgeClock(check, whose string, theirs time.Time) {
	here := x.now.Add(time.Since(x.began)) // other steps may have taken long
	off, word := theirs.Sub(here).Round(time.Second), "behind"
	if off < 0 {
		off, word = -off, "ahead of"
	}
	detail := fmt.Sprintf("is %v %s that of %s: %s here, %s there", off, word, whose, here.UTC().Format(time.RFC3339), theirs.UTC().Format(time.RFC3339))
	switch {
	case off > wrongClock:
		x.wrong(ClockSkewed, check, detail, setClock+"; if this one is right, set that one")
	case off > offClock:
		x.warn(ClockSkewed, check, detail, setClock+"; if this one is right, set that one")
	default:
		x.well(check, "agrees with that of "+whose, "")
	}
}

var errNoClock = errors.New("no management server is set")

// otherClock asks for the time of another machine.
func (x *examination) otherClock(ctx context.Context) (whose string, at time.Time, err error) {
	if x.Outside != nil {
		err = errors.New("listen.tls is empty")
		for _, p := range x.ports("listen.tls", x.Config.Listen.TLS, nil, false) {
			if at, err = x.timeOf(ctx, p.addr, x.Config.Domain, "/"); err == nil {
				return "the server", at, nil
			}
		}
		return "", time.Time{}, err
	}
	cfg := x.Config.Events.Webhooks
	if cfg.Host == "" {
		return "", time.Time{}, errNoClock
	}
	at, err = x.timeOf(ctx, cfg.ManagementAddr(), cfg.ManagementName(), cfg.Path)
	return "the management server", at, err
}

// timeOf asks a server for its time (RFC 9110 section 6.6.1). Its certificate is not verified: with a wrong clock it would not be good.
func (x *examination) timeOf(ctx context.Context, addr, host, path string) (time.Time, error) {
	conn, err := x.connect(ctx, "tcp", addr)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{ServerName: host, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	if err := c.HandshakeContext(ctx); err != nil {
		return time.Time{}, err
	}
	return askTime(c, host, path)
}

// maxAnswer bounds the head of an HTTP answer.
const maxAnswer = 16 << 10

func askTime(conn net.Conn, host, path string) (time.Time, error) {
	if _, err := fmt.Fprintf(conn, "HEAD %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: signalbox\r\nConnection: close\r\n\r\n", path, host); err != nil {
		return time.Time{}, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), &http.Request{Method: http.MethodHead})
	if err != nil {
		return time.Time{}, err
	}
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}, errors.New("it answers without saying what time it is")
	}
	return at, nil
}
