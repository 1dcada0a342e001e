package local

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Sessions asks the agent that has its socket at a path for its remote sessions. The error says what to do.
func Sessions(ctx context.Context, path string) (all []Session, err error) {
	err = do(ctx, path, http.MethodGet, "/sessions", func(r io.Reader) error { return json.NewDecoder(r).Decode(&all) })
	return all, err
}

// End ends one. The error is ErrUnknown, or says what to do.
func End(ctx context.Context, path, id string) error {
	return do(ctx, path, http.MethodDelete, "/sessions/"+url.PathEscape(id), func(io.Reader) error { return nil })
}

// do makes a request. It goes without http.Transport, which takes an answer that comes before the request, as a refusal does, for a mistake.
func do(ctx context.Context, path, method, what string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+what, http.NoBody) // what is escaped
	if err != nil {
		return ErrUnknown // an id that is no part of a URL
	}
	conn, err := (&net.Dialer{Timeout: within}).DialContext(ctx, "unix", path)
	if err != nil {
		return unreached(path, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * within)); err != nil { // the agent may have to find out who is logged in
		return err
	}
	errWrite := req.Write(conn)
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), req)
	if err != nil {
		return fmt.Errorf("the agent at %s does not answer: %w", path, errors.Join(errWrite, err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return read(resp.Body)
	case http.StatusNotFound:
		return ErrUnknown
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxHeader))
	if err != nil {
		return fmt.Errorf("the agent at %s answers %s: %w", path, resp.Status, err)
	}
	return errors.New(strings.TrimSpace(string(text)))
}

// unreached says why nothing answers at a path, and what to do.
func unreached(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("this user may not come to %s: have local_socket in the agent's configuration name a place that all users can enter, or run this as root or as the agent's user: %w", path, err)
	}
	return fmt.Errorf("no agent answers at %s: see that it runs; if its socket is elsewhere, name that by --local-socket, --state-dir or --config: %w", path, err)
}
