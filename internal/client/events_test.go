package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSSE(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []sseEvent
		err        error
	}{
		{"event", "id: 1\nevent: a\ndata: {}\n\n", []sseEvent{{"1", "{}"}}, io.EOF},
		{"sign of life", ": alive\nid: 2\n\n", []sseEvent{{"2", ""}}, io.EOF},
		{"comment alone", ": alive\n\n\n", nil, io.EOF},
		{"data in two lines, no space, carriage returns", "data:a\r\ndata:b\r\n\r\n", []sseEvent{{"", "a\nb"}}, io.EOF},
		{"cut in the event", "id: 1\ndata: {}\n\nid: 2\ndata: {", []sseEvent{{"1", "{}"}}, io.EOF},
		{"cut before its end", "id: 2\ndata: {}\n", nil, io.EOF},
		{"cut in the number", "id: 12", nil, io.EOF},
		{"unknown field", "retry: 1\nfoo\nid: 3\n\n", []sseEvent{{"3", ""}}, io.EOF},
		{"number with a zero byte", "id: 3\x00\ndata: x\n\n", []sseEvent{{"", "x"}}, io.EOF},
		{"long line", "data: " + strings.Repeat("x", maxSSEEvent) + "\n\n", nil, errLongEvent},
		{"many lines", strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 1100), nil, errLongEvent},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newSSEReader(strings.NewReader(tc.text))
			var got []sseEvent
			for {
				e, err := r.next()
				if err != nil {
					if !errors.Is(err, tc.err) {
						t.Errorf("error = %v, want %v", err, tc.err)
					}
					break
				}
				got = append(got, e)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(sseEvent{})); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzSSE: whatever comes, reading ends, what was read is what writing it again gives, and a stream that is cut gives no event that the whole one does not have.
func FuzzSSE(f *testing.F) {
	f.Add("id: 1\nevent: a\ndata: {}\n\nid: 2\n\n", 12)
	f.Add("data:a\r\ndata: b\r\n\r\n:\n\n", 5)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		all := readAll(text)
		for _, e := range all {
			again := "id: " + e.id + "\ndata: " + strings.ReplaceAll(e.data, "\n", "\ndata: ") + "\n\n"
			if e.data != "" && !strings.Contains(e.data, "\r") && !strings.Contains(e.id, "\r") && !cmp.Equal(readAll(again), []sseEvent{e}, cmp.AllowUnexported(sseEvent{})) {
				t.Errorf("%q reads as %q", again, readAll(again))
			}
		}
		if cut < 0 || cut > len(text) {
			return
		}
		for i, e := range readAll(text[:cut]) {
			if i >= len(all) || all[i] != e {
				t.Errorf("cut at %d of %q gives %q, whole it has %q", cut, text, e, all)
			}
		}
	})
}

func readAll(text string) (all []sseEvent) {
	r := newSSEReader(strings.NewReader(text))
	for {
		e, err := r.next()
		if err != nil {
			return all
		}
		all = append(all, e)
	}
}

// roundTrip answers requests.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// body is the beginning of an answer that then neither ends nor goes on.
type body struct {
	io.Reader
	ctx context.Context
}

func (b body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n == 0 && errors.Is(err, io.EOF) {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	return n, nil
}

func (body) Close() error { return nil }

func following1(t *testing.T, answer roundTrip) *Client {
	t.Helper()
	c, err := New("http://127.0.0.1:1", "sbx_x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.streams.Transport = answer
	return c
}

// TestFollowComesBack has streams that break in every way, and one that falls silent.
func TestFollowComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams := []string{
			"id: 5\n\n", // broken before the first event
			"id: 6\ndata: {\"seq\":6}\n\nid: 7\ndata: {\"seq\":7", // in an event
			"", // not answered
			"id: 7\ndata: {\"seq\":7}\n\n: alive\nid: 9\n\n", // then silent
			"id: 12\ndata: {\"seq\":12}\n\n",
		}
		var asked []string
		c := following1(t, func(r *http.Request) (*http.Response, error) {
			n := len(asked)
			asked = append(asked, r.Header.Get("Last-Event-ID"))
			switch {
			case n == 2:
				return nil, errors.New("connection refused")
			case n >= 3:
				return &http.Response{StatusCode: http.StatusOK, Body: body{strings.NewReader(streams[n]), r.Context()}}, nil
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(streams[n]))}, nil
		})
		var got []int64
		var why []string
		enough := errors.New("enough")
		start := time.Now()
		err := c.FollowEvents(t.Context(), EventFilter{}, func(err error) { why = append(why, err.Error()) }, func(e Event) error {
			if got = append(got, e.Seq); e.Seq == 12 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatalf("FollowEvents = %v", err)
		}
		if diff := cmp.Diff([]int64{6, 7, 12}, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"", "5", "6", "6", "9"}, asked); diff != "" {
			t.Errorf("Last-Event-ID (-want +got):\n%s", diff)
		}
		if took := time.Since(start); len(why) != 4 || why[3] != errSilent.Error() || took < silence || took > silence+10*time.Second {
			t.Errorf("after %v: %q", took, why)
		}
	})
}

func TestFollowGivesUp(t *testing.T) {
	problem := func(status int, code string) roundTrip {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {"application/problem+json"}},
				Body: io.NopCloser(strings.NewReader(`{"status":` + strconv.Itoa(status) + `,"code":"` + code + `","detail":"x"}`)),
			}, nil
		}
	}
	for _, tc := range []struct {
		name   string
		answer roundTrip
		want   string
		tries  int
	}{
		{"events are gone", problem(410, "events_gone"), "events_gone", 1},
		{"token", problem(401, "invalid_token"), "invalid_token", 1},
		{"busy from the beginning", problem(503, "busy"), "busy", defaultTries},
		{"no server", func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }, "refused", defaultTries},
		{"no events", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("data: <html>\n\n"))}, nil
		}, "promises", defaultTries},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				c := following1(t, func(r *http.Request) (*http.Response, error) { tries++; return tc.answer(r) })
				err := c.FollowEvents(t.Context(), EventFilter{}, nil, func(Event) error { return nil })
				if err == nil || !strings.Contains(err.Error(), tc.want) || tries != tc.tries {
					t.Errorf("after %d tries: %v, want %s after %d", tries, err, tc.want, tc.tries)
				}
			})
		})
	}
}
