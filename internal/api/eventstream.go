package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"signalbox/internal/access"
	"signalbox/internal/events"
	"signalbox/internal/telemetry"
)

const (
	eventWrite = 10 * time.Second       // how long a reader may take for what is written at once
	eventBatch = 100                    // events written at once, at most
	eventLast  = 100 * time.Millisecond // how long the end of a stream waits for what happened just before
	eventRetry = 2 * time.Second        // after which a browser comes back
)

// eventWriter writes one stream of events.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	text    bytes.Buffer
}

// stream writes events until the reader goes, is too slow or may no longer read, or the server ends.
func (s *Server) stream(hc huma.Context, f *events.Follower) {
	defer f.Close()
	r, w := humago.Unwrap(hc)
	if rec, ok := w.(*recorder); ok {
		rec.stream = true
	}
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	if r.Method == http.MethodHead {
		return
	}
	if out.begin(f.Seen()) != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.serving, cancel)()
	for s.mayGoOn(r) {
		if err := out.round(ctx, f, s.deps.Events.Heartbeat()); err != nil {
			s.streamEnded(r, out, f, err)
			return
		}
	}
}

// streamEnded says in the log what only an operator can mend, and hands on what happened just before the server's end.
func (s *Server) streamEnded(r *http.Request, out *eventWriter, f *events.Follower, err error) {
	switch {
	case s.serving.Err() != nil:
		ctx, cancel := context.WithTimeout(r.Context(), eventLast)
		defer cancel()
		for err = error(nil); err == nil; {
			err = out.batch(ctx, f)
		}
	case r.Context().Err() == nil && domainProblem(err) == nil && !errors.Is(err, errReader):
		s.log.Error("a stream of events ended", telemetry.Cause(err))
	}
}

// mayGoOn reports whether the token is still good. Where that cannot be found out now, it is.
func (s *Server) mayGoOn(r *http.Request) bool {
	_, p := s.authorize(r, access.ScopeRead)
	return p == nil || p.Status != http.StatusUnauthorized && p.Status != http.StatusForbidden
}

// errReader says that a reader is too slow or gone.
var errReader = errors.New("the reader does not read")

// begin says where the stream begins, so that who loses it before the first event comes back there.
func (o *eventWriter) begin(seen int64) error {
	o.w.Header().Set("X-Accel-Buffering", "no") // proxies that know it hand on at once
	o.text.WriteString("retry: " + strconv.Itoa(int(eventRetry.Milliseconds())) + "\n")
	return o.alive(seen)
}

// round writes what happens for the time of a heartbeat, and then a sign of life.
func (o *eventWriter) round(ctx context.Context, f *events.Follower, d time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, errHeartbeat)
	defer cancel()
	for {
		err := o.batch(ctx, f)
		switch {
		case err == nil:
		case errors.Is(context.Cause(ctx), errHeartbeat) && errors.Is(err, context.DeadlineExceeded):
			return o.alive(f.Seen())
		default:
			return err
		}
	}
}

var errHeartbeat = errors.New("time for a sign of life")

// batch waits for events and writes them.
func (o *eventWriter) batch(ctx context.Context, f *events.Follower) error {
	some, err := f.Next(ctx, eventBatch)
	if err != nil {
		return err
	}
	for i := range some {
		if err := o.event(&some[i]); err != nil {
			return err
		}
		if o.text.Len() > maxKeptStream {
			if err := o.flush(); err != nil {
				return err
			}
		}
	}
	return o.flush()
}

func (o *eventWriter) event(e *events.Event) error {
	data, err := encodeEvent(showEvent(e))
	if err != nil {
		return err
	}
	o.text.WriteString("id: " + strconv.FormatInt(e.Seq, 10) + "\nevent: " + string(e.Type) + "\ndata: ")
	o.text.Write(data) // with its line feed
	o.text.WriteByte('\n')
	return nil
}

// alive writes a number without an event: readers keep it and see nothing else.
func (o *eventWriter) alive(seen int64) error {
	o.text.WriteString(": alive\nid: " + strconv.FormatInt(seen, 10) + "\n\n")
	return o.flush()
}

func (o *eventWriter) flush() error {
	_ = o.control.SetWriteDeadline(time.Now().Add(eventWrite)) // not supported: the server's own holds
	_, err := o.w.Write(o.text.Bytes())
	if o.text.Reset(); o.text.Cap() > 2*maxKeptStream {
		o.text = bytes.Buffer{}
	}
	if err == nil {
		err = o.control.Flush()
	}
	if err != nil {
		return errors.Join(errReader, err)
	}
	return nil
}

// maxKeptStream is how much is written at once, about; twice of it is kept while nothing happens.
const maxKeptStream = 64 << 10
