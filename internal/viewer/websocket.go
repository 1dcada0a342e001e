package viewer

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"signalbox/internal/signalling"
)

// Subprotocols are what a WebSocket for signalling is asked for, the best first: on the second the server leaves out what was not said at first (docs/PROTOCOL.md).
var Subprotocols = []string{"signalbox-session.2", "signalbox-session"}

// Close codes of the server's own (docs/PROTOCOL.md). Their range says that the token was refused, that another connection took the side, or that the session is over: after
// these a technician who comes back is sent away again, but for two, which say nothing about the session.
const (
	codeFirst   = 4400
	codeTooSlow = 4408
	codeTooMany = 4429
	codeLast    = 4499
)

// WebSocket returns a Call of the JSON spelling, by the signalling URL of a session. The client must have no timeout of its own; nil: the default one.
func WebSocket(url string, client *http.Client) Call {
	return func(ctx context.Context, a signalling.Attach) (Line, error) {
		ws, answer, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, Subprotocols: Subprotocols, CompressionMode: websocket.CompressionDisabled})
		if err != nil && answer != nil && answer.StatusCode != http.StatusSwitchingProtocols {
			return nil, fmt.Errorf("open a WebSocket for signalling: the answer was %s", answer.Status)
		}
		if err != nil {
			return nil, fmt.Errorf("open a WebSocket for signalling: %w", err)
		}
		ws.SetReadLimit(signalling.MaxMessage)
		l := &webSocket{ws: ws}
		if err := l.Send(ctx, a); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		return l, nil
	}
}

// webSocket is a Line of text messages.
type webSocket struct{ ws *websocket.Conn }

// Send implements Line.
func (l *webSocket) Send(ctx context.Context, m signalling.Message) error {
	text, err := signalling.AppendJSON(nil, m)
	if err != nil {
		return err
	}
	return l.ws.Write(ctx, websocket.MessageText, text)
}

// Receive implements Line.
func (l *webSocket) Receive(ctx context.Context) (signalling.Message, error) {
	kind, data, err := l.ws.Read(ctx)
	if err != nil {
		return nil, closing(err)
	}
	if kind != websocket.MessageText {
		return nil, &RefusedError{Why: "it speaks another protocol: a binary message came"}
	}
	m, err := signalling.ParseJSON(data, signalling.ToTechnician)
	if err != nil {
		return nil, &RefusedError{Why: "it speaks another protocol: " + err.Error()}
	}
	return m, nil
}

// closing makes a RefusedError of a close code that leaves no hope.
func closing(err error) error {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return err
	}
	code := int(closed.Code)
	final := code >= codeFirst && code <= codeLast && code != codeTooSlow && code != codeTooMany
	if final || closed.Code == websocket.StatusPolicyViolation || closed.Code == websocket.StatusMessageTooBig {
		return &RefusedError{Why: closed.Reason}
	}
	return err
}

// Check implements Line.
func (l *webSocket) Check(ctx context.Context) {
	if l.ws.Ping(ctx) != nil {
		_ = l.ws.CloseNow() // whoever waits for a message hears of it
	}
}

// Close implements Line.
func (l *webSocket) Close() error { return l.ws.Close(websocket.StatusNormalClosure, "") }
