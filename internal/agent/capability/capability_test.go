package capability

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMay(t *testing.T) {
	for _, tc := range []struct {
		s          Session
		permission string
		want       bool
	}{
		{Session{}, channel.MayType, false},
		{Session{Kinds: []string{channel.Terminal}}, channel.MayType, true},
		{Session{Kinds: []string{channel.Terminal}}, channel.MayKill, false},
		{Session{Kinds: []string{channel.Files}, Permissions: []string{channel.MayReadFiles}}, channel.MayReadFiles, true},
		{Session{Kinds: []string{channel.Files}, Permissions: []string{channel.MayReadFiles}}, channel.MayWriteFiles, false},
		{Session{Kinds: []string{channel.Files}, Permissions: []string{channel.MayType}}, channel.MayType, false},
	} {
		if got := tc.s.May(tc.permission); got != tc.want {
			t.Errorf("%+v May(%s) = %v", tc.s, tc.permission, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	_, missing := os.Open(t.TempDir() + "/no")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{missing, channel.CodeNotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, channel.CodeNotPermitted},
		{&fs.PathError{Op: "mkdir", Path: "x", Err: syscall.EEXIST}, channel.CodeExists},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, channel.CodeTooLarge},
		{fmt.Errorf("start: %w", errors.ErrUnsupported), channel.CodeNotSupported},
		{fmt.Errorf("start: %w", channel.Refuse(channel.CodeChanged, "x")), channel.CodeChanged},
		{errors.New("anything"), channel.CodeFailed},
	} {
		if got := Refusal(tc.err); got.Code != tc.want || got.Detail == "" {
			t.Errorf("Refusal(%v) = %v, want %s", tc.err, got, tc.want)
		}
	}
}

// TestRequests: requests are answered in order until the channel ends, and a malformed one ends it with a reason.
func TestRequests(t *testing.T) {
	serve := func() (*channeltest.End, chan error) {
		a, b := channeltest.Pipe()
		served := make(chan error, 1)
		go func() {
			served <- Requests(context.Background(), b, channel.DecodeSystemRequest, func(r channel.SystemRequest, send func(any) error) error {
				return send(channel.SystemAnswer{ID: r.ID, Pong: &channel.Nothing{}})
			})
		}()
		return a, served
	}
	exchange := func(end *channeltest.End, m channel.Message) channel.SystemAnswer {
		t.Helper()
		if err := end.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		got, err := end.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a, err := channel.DecodeSystemAnswer(got.Data)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	end, served := serve()
	for _, id := range []string{"1", "2"} {
		if a := exchange(end, channel.Message{Text: true, Data: []byte(`{"id":` + id + `,"ping":{}}`)}); a.Pong == nil || fmt.Sprint(a.ID) != id {
			t.Errorf("answer %+v", a)
		}
	}
	end.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, m := range []channel.Message{{Data: []byte("x")}, {Text: true, Data: []byte(`{"id":1}`)}} {
		end, served := serve()
		if a := exchange(end, m); a.Error == nil || a.Error.Code != channel.CodeInvalid {
			t.Errorf("%s: answer %+v", m.Data, a)
		}
		if err := <-served; err == nil {
			t.Errorf("%s: the channel ended well", m.Data)
		}
	}
	end, served = serve()
	end.Cut()
	if err := <-served; !errors.Is(err, channeltest.ErrLost) {
		t.Errorf("a channel that was lost: %v", err)
	}
}
