package session

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/channel/transfer"
	"signalbox/internal/client"
	"signalbox/internal/signalling"
	"signalbox/internal/viewer"
)

// screen keeps what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	want string
	seen chan struct{} // closed when want was shown
}

func newScreen(want string) *screen { return &screen{want: want, seen: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.text.String(), s.want)
	n, err := s.text.Write(p)
	if !before && strings.Contains(s.text.String(), s.want) {
		close(s.seen)
	}
	return n, err
}

// types opens a terminal, has the shell there count, and ends it.
func (a *technician) types() {
	t := a.w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	term, err := channels.OpenTerminal(ctx, a.open(channel.Terminal), channel.TerminalOpen{Cols: 80, Rows: 24})
	must(t, err)
	defer term.Close() //nolint:errcheck // it has ended
	shown := newScreen("it is 42")
	ended := make(chan error, 1)
	go func() {
		status, _, err := term.Copy(ctx, shown)
		if err == nil && status != 7 {
			err = errors.New("another status")
		}
		ended <- err
	}()
	must(t, term.Type(ctx, []byte("echo it is $((6*7))\n")))
	select {
	case <-shown.seen:
	case err := <-ended:
		t.Fatalf("the terminal ended with %v, having shown %q", err, shown.text.String())
	}
	must(t, term.Type(ctx, []byte("exit 7\n")))
	must(t, <-ended)
}

// TestRungs: a terminal comes up on each rung, and the server's record names it.
func TestRungs(t *testing.T) {
	w := newWorld(t, true)
	only := func(scheme, transport string) func(*viewer.Config) {
		return func(c *viewer.Config) { c.Call = filtered(c.Call, scheme, transport) }
	}
	for _, tc := range []struct {
		rung, transport string
		change          []func(*viewer.Config)
	}{
		{signalling.RungDirect, "auto", nil},
		{signalling.RungTURNUDP, "turn_only", nil},
		{signalling.RungTURNTCP, "turn_only", []func(*viewer.Config){only("turn:", "?transport=tcp")}},
		{signalling.RungTURNTLS, "turn_only", []func(*viewer.Config){only("turns:", "?transport=tcp")}},
		{signalling.RungRelay, "websocket_only", nil},
	} {
		t.Run(tc.rung, func(t *testing.T) {
			w := *w
			w.t = t
			a := w.attach(tc.transport, tc.change...)
			keeps := a.open(channel.System) // so that there is a way as long as it is asked for
			defer keeps.Close()             //nolint:errcheck // the session ends
			a.types()
			a.awaitRecord("active", func(s client.Session) bool { return s.State == "active" && s.Path != "" && a.Path().Rung != "" }) // the endpoint may have said it first
			if got := a.Path().Rung; got != tc.rung {
				t.Errorf("the viewer is on rung %s, want %s; better ones failed: %+v", got, tc.rung, a.Path().Failed)
			}
			must(t, a.End(t.Context()))
			must(t, <-a.ended)
			a.awaitRecord("ended", func(s client.Session) bool { return s.Reason == "technician_ended" })
		})
	}
}

// filtered hides all but some TURN servers from a viewer.
func filtered(call viewer.Call, scheme, suffix string) viewer.Call {
	return func(ctx context.Context, a signalling.Attach) (viewer.Line, error) {
		l, err := call(ctx, a)
		return filter{l, scheme, suffix}, err
	}
}

type filter struct {
	viewer.Line
	scheme, suffix string
}

func (f filter) Receive(ctx context.Context) (signalling.Message, error) {
	m, err := f.Line.Receive(ctx)
	s, ok := m.(signalling.State)
	if !ok {
		return m, err
	}
	for i, server := range s.Servers {
		var urls []string
		for _, u := range server.URLs {
			if strings.HasPrefix(u, f.scheme) && strings.HasSuffix(u, f.suffix) {
				urls = append(urls, u)
			}
		}
		s.Servers[i].URLs = urls
	}
	return s, err
}

// overXMPP has a viewer use an XMPP stream for signalling.
func (w *world) overXMPP(c *viewer.Config) {
	c.Call = viewer.XMPP(host, func(ctx context.Context) (*tls.Conn, error) {
		c, err := (&tls.Dialer{Config: w.tls("xmpp-client")}).DialContext(ctx, "tcp", w.server.Addr("tls"))
		if err != nil {
			return nil, err
		}
		return c.(*tls.Conn), nil
	})
}

// TestQuestion: what the user at the endpoint is asked, and for how long, is what the session was opened with; nobody is asked where it says so.
func TestQuestion(t *testing.T) {
	w := newWorld(t, false)
	w.attach("websocket_only").types()
	_, grant := w.opens("websocket_only", client.NewConsent{Mode: signalling.ModeAskAllow, Timeout: 90, Message: "May I?"})
	q := <-w.user
	if q.Session != grant.ID || q.Technician.Name != "Ann" || q.Message != "May I?" || q.Timeout != 90*time.Second || !q.Allows {
		t.Errorf("the user is asked %+v in %s", q, grant.ID)
	}
}

// TestXMPP: a technician's tool may use XMPP instead of a WebSocket.
func TestXMPP(t *testing.T) {
	w := newWorld(t, false)
	a := w.attach("auto", w.overXMPP)
	a.types()
	must(t, a.End(t.Context()))
	must(t, <-a.ended)
}

const size = 64 << 20

// TestFileThereAndBack: 64 MiB go to the endpoint and come back, each way with one cut in the middle, and are the same.
func TestFileThereAndBack(t *testing.T) {
	w := newWorld(t, false)
	a := w.attach("auto")
	content := make([]byte, size)
	_, err := io.ReadFull(rand.Reader, content)
	must(t, err)
	want := channel.Sum(sha256.Sum256(content))
	there, here := filepath.Join(t.TempDir(), "there.bin"), t.TempDir()
	sent := a.persists("upload", func(f *channels.Files, progress func(int64, int64)) (channel.Sum, error) {
		return f.Upload(t.Context(), there, bytes.NewReader(content), size, channels.UploadOptions{Progress: progress})
	})
	received := a.persists("download", func(f *channels.Files, progress func(int64, int64)) (channel.Sum, error) {
		folder, err := os.OpenRoot(here)
		if err != nil {
			return channel.Sum{}, err
		}
		part, err := transfer.OpenPart(t.Context(), folder, "here.bin", func(transfer.Origin) bool { return true })
		if err != nil {
			return channel.Sum{}, err
		}
		return f.Download(t.Context(), there, part, progress)
	})
	for _, at := range []string{there, filepath.Join(here, "here.bin")} {
		got, err := os.ReadFile(at)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s has %d bytes and other content, %v", at, len(got), err)
		}
	}
	if sent != want || received != want {
		t.Errorf("the hashes are %s and %s, want %s", sent, received, want)
	}
}

// persists does a transfer with one cut in the middle, and sees that it goes on from there.
func (a *technician) persists(what string, work func(*channels.Files, func(arrived, size int64)) (channel.Sum, error)) channel.Sum {
	t := a.w.t
	t.Helper()
	cut, first := int64(0), int64(-1) // where it was cut; where the next attempt began
	for range 2 {
		f := channels.NewFiles(a.open(channel.Files))
		sum, err := work(f, func(arrived, _ int64) {
			switch {
			case cut == 0 && arrived >= size/2:
				cut = arrived
				a.relay.cut()
			case cut > 0 && first < 0 && arrived != cut:
				first = arrived
			}
		})
		_ = f.Close() // its way may be lost
		if err == nil {
			if cut == 0 || first < size/4 {
				t.Errorf("%s was cut at %d and went on with %d", what, cut, first)
			}
			return sum
		}
		t.Logf("%s: %v", what, err)
	}
	t.Fatalf("%s did not come through", what)
	return channel.Sum{}
}

// TestProcesses: a process is listed, and killed.
func TestProcesses(t *testing.T) {
	w := newWorld(t, false)
	a := w.attach("websocket_only")
	victim := exec.CommandContext(t.Context(), "sleep", "600")
	must(t, victim.Start())
	p := channels.NewProcesses(a.open(channel.Processes))
	defer p.Close() //nolint:errcheck // the session ends
	all, err := p.List(t.Context())
	must(t, err)
	killed := false
	for _, one := range all {
		if one.PID == victim.Process.Pid {
			must(t, p.Kill(t.Context(), one, channel.SignalKill))
			killed = true
		}
	}
	if !killed {
		t.Fatalf("process %d is none of the %d that were listed", victim.Process.Pid, len(all))
	}
	var exit *exec.ExitError
	if err := victim.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the process ended with %v", err)
	}
}

// TestUserEnds: the user at the endpoint ends the session, and the technician hears why.
func TestUserEnds(t *testing.T) {
	w := newWorld(t, false)
	a := w.attach("websocket_only")
	c := a.open(channel.System)
	if !w.agent.EndRemoteSession(a.id, "ann") {
		t.Fatal("the agent knows no such session")
	}
	var ended *viewer.EndedError
	if err := <-a.ended; !errors.As(err, &ended) || ended.Reason != "user_ended" {
		t.Errorf("Run = %v", err)
	}
	if m, err := c.Receive(t.Context()); err == nil {
		t.Errorf("the channel gives %q", m.Data)
	}
	a.awaitRecord("ended by the user", func(s client.Session) bool { return s.State == "ended" && s.Reason == "user_ended" })
}

// TestServerStartsAgain: what goes directly goes on while the server starts again, and both parties come back to the session.
func TestServerStartsAgain(t *testing.T) {
	w := newWorld(t, false)
	a := w.attach("auto")
	s := channels.NewSystem(a.open(channel.System))
	defer s.Close() //nolint:errcheck // the session ends
	w.server.KeepPorts()
	w.server.Stop()
	if _, err := s.Ping(t.Context()); err != nil {
		t.Errorf("without the server: %v", err)
	}
	w.server.Run()
	a.awaitReturn()
	a.types()
}

// awaitReturn waits until the session is active again.
func (a *technician) awaitReturn() {
	a.w.t.Helper()
	api, err := client.New(a.w.server.URL(), a.w.server.Token, client.Options{})
	must(a.w.t, err)
	a.w.t.Cleanup(api.Close)
	a.api = api
	a.awaitRecord("active", func(s client.Session) bool { return s.State == "active" })
}
