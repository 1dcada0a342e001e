package client

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"go.uber.org/goleak"

	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
	"signalbox/internal/channel/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint plays an endpoint by hand.
type endpoint struct {
	*channeltest.End
	t *testing.T
}

// hear reads a request.
func (e endpoint) hear() channel.FilesRequest {
	e.t.Helper()
	m, err := e.Receive(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	r, err := channel.DecodeFilesRequest(m.Data)
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

func (e endpoint) say(text string) {
	e.t.Helper()
	if err := e.Send(e.t.Context(), channel.Message{Text: true, Data: []byte(text)}); err != nil {
		e.t.Fatal(err)
	}
}

func files(t *testing.T) (*Files, endpoint) {
	a, b := channeltest.Pipe()
	f := NewFiles(a)
	t.Cleanup(func() { f.Close() })
	return f, endpoint{b, t}
}

func part(t *testing.T) *transfer.Part {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p, err := transfer.OpenPart(t.Context(), root, "file", func(transfer.Origin) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("%s: error %v, want %s", what, err, code)
	}
}

// TestEndpointEnds: a request that waits fails when the channel ends, for the reason that it ended.
func TestEndpointEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(e endpoint)
		is   func(err error) bool
	}{
		{"closed", func(e endpoint) { e.Close() }, func(err error) bool { return errors.Is(err, errEnded) }},
		{"lost", func(e endpoint) { e.Cut() }, func(err error) bool { return errors.Is(err, channeltest.ErrLost) }},
		{"refused", func(e endpoint) { e.say(`{"error":{"code":"not_permitted","detail":"no"}}`) }, hasCode(channel.CodeNotPermitted)},
		{"malformed", func(e endpoint) { e.say(`{"id":1}`) }, hasCode(channel.CodeInvalid)},
		{"bytes", func(e endpoint) { _ = e.Send(t.Context(), channel.Message{Data: []byte("x")}) }, hasCode(channel.CodeInvalid)},
	} {
		f, e := files(t)
		failed := make(chan error, 1)
		go func() { failed <- f.Mkdir(t.Context(), "/x") }()
		e.hear()
		tc.end(e)
		if err := <-failed; !tc.is(err) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err := f.Mkdir(t.Context(), "/x"); err == nil {
			t.Errorf("%s: a request after the end succeeded", tc.name)
		}
	}
}

func hasCode(code string) func(error) bool {
	return func(err error) bool {
		var refusal *channel.Error
		return errors.As(err, &refusal) && refusal.Code == code
	}
}

// TestGivenUp: a transfer that the endpoint begins for nobody is cancelled, and its answers reach no one else.
func TestGivenUp(t *testing.T) {
	f, e := files(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := f.Download(ctx, "/x", part(t), nil)
		failed <- err
	}()
	e.hear()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("Download: %v", err)
	}
	e.say(`{"id":1,"transfer":{"number":7,"offset":0,"size":5,"version":"v","block":1048576}}`)
	if r := e.hear(); r.Cancel == nil || r.Cancel.Number != 7 {
		t.Errorf("the endpoint was told %+v", r)
	}
}

// TestWrongOffers: an endpoint that begins where nothing can begin is refused.
func TestWrongOffers(t *testing.T) {
	f, e := files(t)
	failed := make(chan error, 1)
	for name, offer := range map[string]string{
		"of another size": `{"id":%,"transfer":{"number":1,"offset":0,"size":6,"block":1048576}}`,
		"within a block":  `{"id":%,"transfer":{"number":1,"offset":3,"size":5,"block":1048576}}`,
		"of nothing":      `{"id":%,"made":true}`,
	} {
		go func() {
			_, err := f.Upload(t.Context(), "/x", bytes.NewReader([]byte("hello")), 5, UploadOptions{})
			failed <- err
		}()
		e.answer(offer)
		wantCode(t, "upload "+name, <-failed, channel.CodeInvalid)
		if name != "of nothing" {
			if r := e.hear(); r.Cancel == nil || r.Cancel.Number != 1 {
				t.Errorf("upload %s: the endpoint was told %+v", name, r)
			}
		}
	}
	go func() {
		_, err := f.Download(t.Context(), "/x", part(t), nil)
		failed <- err
	}()
	e.answer(`{"id":%,"transfer":{"number":1,"offset":3,"size":5,"version":"v","block":1048576}}`)
	wantCode(t, "download", <-failed, channel.CodeInvalid)
}

// answer answers the next request; % stands for its id.
func (e endpoint) answer(text string) {
	e.t.Helper()
	id, err := channel.Encode(e.hear().ID)
	if err != nil {
		e.t.Fatal(err)
	}
	e.say(string(bytes.ReplaceAll([]byte(text), []byte("%"), id)))
}
