package doctor

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"

	"signalbox/xmpp/websocket"
)

// alpnHTTP is the protocol of browsers and WebSockets (RFC 7301).
const alpnHTTP = "http/1.1"

// upgrade looks whether WebSockets come through on the shared port: the last rung for XMPP, and the relay's only one.
func (x *examination) upgrade(ctx context.Context, p port) {
	check := p.String() + ", WebSocket"
	conn, t := x.secure(ctx, p, []string{alpnHTTP})
	if t != nil {
		x.wrong(t.code, check, t.detail, t.action)
		return
	}
	defer conn.Close()
	if err := askUpgrade(conn, x.Config.Domain); err != nil {
		x.wrong(NoUpgrade, check, "does not come through: "+err.Error(),
			"have proxies and balancers in between pass the headers Upgrade and Connection, or the connection as it is; without it channels of remote sessions have no relay")
		return
	}
	x.well(check, "comes through", "")
}

var errNoHTTP = errors.New("no HTTP is spoken there")

// askUpgrade asks for a WebSocket with XMPP (RFC 7395 section 3.1) and leaves it at the answer.
func askUpgrade(conn *tls.Conn, host string) error {
	if p := conn.ConnectionState().NegotiatedProtocol; p != alpnHTTP {
		return errNoHTTP
	}
	const request = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: signalbox\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2lnbmFsYm94IGRvY3Rvcg==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n"
	if _, err := fmt.Fprintf(conn, request, websocket.Path, host); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), nil)
	switch {
	case err != nil:
		return fmt.Errorf("no answer that is HTTP: %w", err)
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return errors.New("the answer is " + answer.Status)
	}
	return nil
}
