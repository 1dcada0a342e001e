package api

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"signalbox/internal/telemetry"
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

// await waits for the end of a push that is on stable storage by end, which brings the answer up to date if anything is known. It says there that the preference
// was applied if the push is final or all the time is over. Otherwise (too many wait, the server ends, the push was deleted) what the answer says stays true.
func (s *Server) await(ctx context.Context, wait time.Duration, out *acceptedPush, end func(context.Context) (known bool, err error)) {
	select {
	case s.waits <- struct{}{}:
		defer func() { <-s.waits }()
	default:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.serving, cancel)()
	known, err := end(ctx)
	if err != nil && ctx.Err() == nil && domainProblem(err) == nil {
		s.log.Error("wait for a push failed", telemetry.Cause(err))
	}
	if !known {
		return
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		out.Applied = "wait"
	}
}
