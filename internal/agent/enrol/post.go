package enrol

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"signalbox/internal/agent/ladder"
	"signalbox/internal/identity"
)

// maxAnswer bounds the server's answer, head and body each.
const maxAnswer = 64 << 10

var errAnswer = errors.New("what answers is no Signalbox server")

// post sends the request on a connection on which HTTP/1.1 is spoken, and reads the answer. A failure of the connection is a *ladder.Failure, another way may help; every other
// error is the server's word.
func post(ctx context.Context, conn net.Conn, host string, body identity.EnrolRequest) (identity.Enrolled, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := json.Marshal(body)
	if err != nil {
		return identity.Enrolled{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+identity.EnrolPath, bytes.NewReader(text))
	if err != nil {
		return identity.Enrolled{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "signalbox-agent")
	req.Close = true
	if err := req.Write(conn); err != nil {
		return identity.Enrolled{}, ladder.New(ladder.StreamClosed, "", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, 2*maxAnswer)), req)
	if err != nil {
		return identity.Enrolled{}, ladder.New(ladder.StreamClosed, "", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return identity.Enrolled{}, ladder.New(ladder.StreamClosed, "", err)
	}
	return read(resp.StatusCode, answer)
}

// read reads the answer, or why the server refuses.
func read(status int, answer []byte) (e identity.Enrolled, err error) {
	if status != http.StatusOK {
		var p struct{ Code, Detail string }
		if json.Unmarshal(answer, &p) != nil || p.Code == "" {
			return e, fmt.Errorf("%w: status %d", errAnswer, status)
		}
		return e, fmt.Errorf("the server refuses the enrolment (%s): %s", ladder.Clean(p.Code), ladder.Clean(p.Detail))
	}
	if err := json.Unmarshal(answer, &e); err != nil {
		return e, errors.Join(errAnswer, err)
	}
	if e.ID == "" || e.Domain == "" || e.ServerKey.IsZero() {
		return identity.Enrolled{}, errAnswer
	}
	return e, nil
}
