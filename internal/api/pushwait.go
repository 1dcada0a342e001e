package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/push"
)

const maxWait = 60 * time.Second

// preferredWait reads the preference wait of RFC 7240 section 4.3 in seconds, 1 to 60. What is not understood is ignored, as that RFC wants.
func preferredWait(header string) time.Duration {
	for _, preference := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err != nil || n < 1 {
			return 0
		}
		return min(time.Duration(n)*time.Second, maxWait)
	}
	return 0
}

// await returns the state in which the push is final, or the one that it is in when the time is over.
func (s *Server) await(ctx context.Context, id push.ID, wait time.Duration) (push.State, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	st, err := s.deps.Pushes.Wait(ctx, s.deps.Domain, id)
	if err != nil && ctx.Err() == nil {
		return "", err
	}
	return st.State, nil
}
