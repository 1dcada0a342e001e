//go:build unix

package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/channel/channeltest"
	"signalbox/internal/channel/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func session(permissions ...string) capability.Session {
	return capability.Session{ID: "ses_1", Kinds: []string{channel.Terminal}, Permissions: permissions, Log: zap.NewNop()}
}

// plain is a shell that prints nothing by itself.
var plain = []string{"/bin/sh"}

func openInstance(t *testing.T, command []string, permissions ...string) capability.Instance {
	t.Helper()
	t.Setenv("PS1", "$ ")
	t.Setenv("ENV", "")
	i := New(command).Open(session(permissions...))
	t.Cleanup(i.Close)
	return i
}

// window is a technician's terminal.
type window struct {
	*client.Terminal
	end    *channeltest.End
	served chan error

	mu     sync.Mutex
	text   bytes.Buffer
	news   chan struct{}
	seen   int64
	status int
	err    error
	done   chan struct{}
}

func (w *window) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
	return w.text.Write(p)
}

// serve opens a channel.
func serve(i capability.Instance) (*channeltest.End, chan error) {
	a, b := channeltest.Pipe()
	served := make(chan error, 1)
	go func() { served <- i.Serve(context.Background(), b) }()
	return a, served
}

// show opens a terminal and reads it.
func show(t *testing.T, i capability.Instance, o channel.TerminalOpen) *window {
	t.Helper()
	if o.Cols == 0 {
		o.Cols, o.Rows = 80, 24
	}
	w := &window{news: make(chan struct{}, 1), done: make(chan struct{})}
	w.end, w.served = serve(i)
	var err error
	if w.Terminal, err = client.OpenTerminal(t.Context(), w.end, o); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.done)
		w.status, w.seen, w.err = w.Copy(context.Background(), w)
	}()
	t.Cleanup(func() {
		w.end.Cut()
		<-w.done
	})
	return w
}

// wait waits until the output has text, and returns the output.
func (w *window) wait(t *testing.T, text string) string {
	t.Helper()
	for {
		w.mu.Lock()
		got := w.text.String()
		w.mu.Unlock()
		if strings.Contains(got, text) {
			return got
		}
		select {
		case <-w.news:
		case <-w.done:
			t.Fatalf("the terminal has ended with %v before %q: %q", w.err, text, got)
		case <-t.Context().Done():
			t.Fatalf("%q does not come: %q", text, got)
		}
	}
}

func (w *window) line(t *testing.T, text string) {
	t.Helper()
	if err := w.Type(t.Context(), []byte(text+"\n")); err != nil {
		t.Fatal(err)
	}
}

func TestTypeAndRead(t *testing.T) {
	i := openInstance(t, plain)
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "echo $((6*7)) $TERM; tty")
	w.wait(t, "42 xterm-256color")
	w.wait(t, "/dev/")
	w.line(t, "stty size")
	w.wait(t, "24 80")
	if err := w.Resize(t.Context(), 132, 50); err != nil {
		t.Fatal(err)
	}
	w.line(t, "stty size")
	w.wait(t, "50 132")
	w.line(t, "exit 7")
	<-w.done
	if w.status != 7 || w.err != nil || <-w.served != nil {
		t.Errorf("status %d, %v", w.status, w.err)
	}
	if all := list(t, i); len(all) != 0 {
		t.Errorf("a terminal whose end was shown is listed: %+v", all)
	}
}

// shellOf finds a terminal by its id.
func shellOf(i capability.Instance, id string) *shell {
	in := i.(*instance)
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.shells[slices.IndexFunc(in.shells, func(s *shell) bool { return s.id == id })]
}

func list(t *testing.T, i capability.Instance) []channel.TerminalState {
	t.Helper()
	end, served := serve(i)
	all, err := client.Terminals(t.Context(), end)
	if err != nil {
		t.Fatal(err)
	}
	end.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	return all
}

// TestLoginShell: without a command it is the user's own shell.
func TestLoginShell(t *testing.T) {
	t.Setenv("SHELL", "/bin/sh")
	t.Setenv("SIGNALBOX_AGENT_SECRET", "hidden")
	i := openInstance(t, nil)
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "echo name=$0 secret=$SIGNALBOX_AGENT_SECRET. home=$(test $PWD = $HOME && echo yes)")
	w.wait(t, "name=-sh secret=. home=yes")
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"PATH=/bin", "SIGNALBOX_AGENT_SECRET=x", "TERM=dumb", "HOME=/own"}, []string{"HOME=/root", "USER=root"})
	if want := []string{"PATH=/bin", "HOME=/own", "USER=root", "TERM=xterm-256color", "COLORTERM=truecolor"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestListedShell(t *testing.T) {
	path := t.TempDir() + "/passwd"
	if err := os.WriteFile(path, []byte("root:x:0:0:root:/root:/bin/one\nx:x:12:0::/:/bin/two\nbroken:12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]string{0: "/bin/one", 12: "/bin/two", 1: ""} {
		if got := listedShell(path, uid); got != want {
			t.Errorf("listedShell(%d) = %q, want %q", uid, got, want)
		}
	}
}

// TestReattach: a terminal goes on without a channel, and its output is there for the next one, from where the last has seen it.
func TestReattach(t *testing.T) {
	i := openInstance(t, plain)
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "echo first; read x; echo got $x; echo second")
	w.wait(t, "first")
	id := w.Opened().Terminal
	w.end.Cut()
	<-w.done
	if <-w.served == nil {
		t.Error("a channel that was lost ended well")
	}
	if all := list(t, i); len(all) != 1 || all[0] != (channel.TerminalState{Terminal: id, Cols: 80, Rows: 24, Command: "sh"}) {
		t.Errorf("list: %+v", all)
	}
	again := show(t, i, channel.TerminalOpen{Terminal: id, From: w.seen, Cols: 100, Rows: 30})
	if o := again.Opened(); o.From != w.seen || o.Lost != 0 {
		t.Errorf("opened %+v, want from %d", o, w.seen)
	}
	again.line(t, "input")
	again.wait(t, "second")
	whole := show(t, i, channel.TerminalOpen{Terminal: id}) // takes it over, from the beginning
	whole.wait(t, "got input")
	if whole.wait(t, "first"); whole.Opened().From != 0 {
		t.Errorf("opened %+v", whole.Opened())
	}
	<-again.done
	var refusal *channel.Error
	if !errors.As(again.err, &refusal) || refusal.Code != channel.CodeChanged {
		t.Errorf("the channel that was taken over ended with %v", again.err)
	}
	whole.line(t, "stty size")
	whole.wait(t, "24 80")
}

// TestScrollBack: what is older than what is kept is lost, and said to be.
func TestScrollBack(t *testing.T) {
	i := openInstance(t, plain)
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "read go; head -c 600000 /dev/zero | tr '\\0' x; echo; echo END; read x")
	w.line(t, "")
	w.wait(t, "\nEND")
	w.end.Cut()
	<-w.done
	again := show(t, i, channel.TerminalOpen{Terminal: w.Opened().Terminal, From: 100})
	again.wait(t, "\nEND")
	o := again.Opened()
	if o.Lost != o.From-100 || o.From < 600000-channel.ScrollBack {
		t.Errorf("opened %+v", o)
	}
	again.mu.Lock()
	defer again.mu.Unlock()
	if n := again.text.Len(); n > channel.ScrollBack || n < channel.ScrollBack-1000 {
		t.Errorf("%d bytes were kept, want %d", n, channel.ScrollBack)
	}
}

// TestBackPressure: a program does not run ahead of who watches it.
func TestBackPressure(t *testing.T) {
	i := openInstance(t, plain)
	end, served := serve(i)
	term, err := client.OpenTerminal(t.Context(), end, channel.TerminalOpen{Cols: 80, Rows: 24})
	if err != nil {
		t.Fatal(err)
	}
	if err := term.Type(t.Context(), []byte("yes | head -c 5000000; echo END\n")); err != nil {
		t.Fatal(err)
	}
	s := shellOf(i, term.Opened().Terminal)
	until(t, s.ahead) // nobody reads the channel
	first := written(s)
	if first > maxAhead+4*chunk+16*2*chunk {
		t.Errorf("%d bytes were read from a program that nobody watches", first)
	}
	var tail bytes.Buffer
	_, seen, err := func() (int, int64, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return term.Copy(ctx, writer(func(p []byte) (int, error) {
			tail.Write(p)
			if tail.Len() > 100 {
				tail.Next(tail.Len() - 100)
			}
			if strings.Contains(tail.String(), "END") && !strings.Contains(tail.String(), "echo") {
				cancel()
			}
			return len(p), nil
		}))
	}()
	if !errors.Is(err, context.Canceled) || seen < 5000000 {
		t.Errorf("%d bytes, %v", seen, err)
	}
	end.Cut()
	<-served
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// written is how much of a program's output was read.
func written(s *shell) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.end
}

// until waits for something that nothing tells of.
func until(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it does not become so")
		}
	}
}

// TestMany: there are eight terminals and no more; one that has ended makes room.
func TestMany(t *testing.T) {
	i := openInstance(t, plain)
	var all []*window
	for range channel.MaxTerminals {
		all = append(all, show(t, i, channel.TerminalOpen{}))
	}
	end, served := serve(i)
	_, err := client.OpenTerminal(t.Context(), end, channel.TerminalOpen{Cols: 80, Rows: 24})
	wantCode(t, err, channel.CodeTooLarge)
	if err := <-served; err != nil {
		t.Error(err)
	}
	w := all[3]
	w.end.Cut()
	<-w.done
	<-w.served
	s := shellOf(i, w.Opened().Terminal)
	s.pty.Kill()
	<-s.done // nobody has seen it
	if states := list(t, i); len(states) != 8 || !states[3].Ended || s.status != 128+9 {
		t.Errorf("status %d, list: %+v", s.status, states)
	}
	if w := show(t, i, channel.TerminalOpen{}); w.Opened().Terminal != "t9" {
		t.Errorf("opened %+v", w.Opened())
	}
	end, served = serve(i)
	_, err = client.OpenTerminal(t.Context(), end, channel.TerminalOpen{Cols: 80, Rows: 24, Terminal: "t4"})
	wantCode(t, err, channel.CodeNotFound)
	<-served
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refusal *channel.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("error %v, want %s", err, code)
	}
}

// TestPermissions: who may only watch opens no shell, and what is typed goes nowhere.
func TestPermissions(t *testing.T) {
	i := openInstance(t, plain, channel.MayReadFiles)
	end, served := serve(i)
	_, err := client.OpenTerminal(t.Context(), end, channel.TerminalOpen{Cols: 80, Rows: 24})
	wantCode(t, err, channel.CodeNotPermitted)
	<-served

	i = openInstance(t, plain)
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "echo ready")
	w.wait(t, "ready\r\n")
	i.(*instance).session.Permissions = []string{channel.MayReadFiles} // as if it never had the right
	watch := show(t, i, channel.TerminalOpen{Terminal: w.Opened().Terminal})
	watch.line(t, "echo typed")
	if err := errors.Join(watch.End(t.Context()), watch.Resize(t.Context(), 90, 20)); err != nil {
		t.Fatal(err)
	}
	s := shellOf(i, w.Opened().Terminal)
	until(t, func() bool { return s.state().Cols == 90 }) // so what came before was taken, too
	if text := watch.wait(t, "ready"); strings.Contains(text, "typed") || s.ended() {
		t.Errorf("typed without a right: %q", text)
	}
}

// TestEnd: hanging up ends the shell and what it runs, and so does the end of the session.
func TestEnd(t *testing.T) {
	i := openInstance(t, []string{"bash", "--norc", "--noprofile"})
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "sleep 1000 & echo p''id=$!; sleep 1000") // the terminal shows what is typed, too, before the shell has read it
	w.wait(t, "pid=")
	if err := w.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-w.done
	if w.err != nil || w.status != 128+int(syscall.SIGHUP) && w.status != 128+int(syscall.SIGKILL) { // where the machine is too slow for the first
		t.Errorf("status %d, %v", w.status, w.err)
	}
	w = show(t, i, channel.TerminalOpen{})
	w.line(t, "trap '' HUP TERM; echo deaf; while true; do read x; done")
	w.wait(t, "deaf\r\n")
	pid := shellOf(i, w.Opened().Terminal).pty.(*unixPTY).command.Process.Pid
	i.Close()
	<-w.done
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the shell is still there: %v", err)
	}
	end, served := serve(i)
	_, err := client.OpenTerminal(t.Context(), end, channel.TerminalOpen{Cols: 80, Rows: 24})
	wantCode(t, err, channel.CodeFailed)
	<-served
}

// TestDeafProgram: a program that does not read what is typed holds up neither the end of a channel nor the next one.
func TestDeafProgram(t *testing.T) {
	i := openInstance(t, plain)
	w := show(t, i, channel.TerminalOpen{})
	w.line(t, "stty raw -echo; echo de''af; sleep 1000")
	w.wait(t, "deaf")
	for range 4 {
		if err := w.Type(t.Context(), bytes.Repeat([]byte("x"), channel.MaxMessage)); err != nil {
			t.Fatal(err)
		}
	}
	again := show(t, i, channel.TerminalOpen{Terminal: w.Opened().Terminal})
	<-w.done
	wantCode(t, w.err, channel.CodeChanged)
	again.wait(t, "deaf")
}

func TestSignalled(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	i := openInstance(t, []string{"sh", "-c", "kill -9 $$"})
	w := show(t, i, channel.TerminalOpen{})
	<-w.done
	if w.status != 128+9 || w.err != nil {
		t.Errorf("status %d, %v", w.status, w.err)
	}
	i = openInstance(t, []string{"/nowhere/at-all"})
	end, served := serve(i)
	_, err := client.OpenTerminal(t.Context(), end, channel.TerminalOpen{Cols: 80, Rows: 24})
	wantCode(t, err, channel.CodeNotFound)
	<-served
}

func TestMalformed(t *testing.T) {
	i := openInstance(t, plain)
	for _, m := range []channel.Message{
		{Data: []byte("typed before it was opened")},
		{Text: true, Data: []byte(`{"resize":{"cols":80,"rows":24}}`)},
		{Text: true, Data: []byte(`{"open":{}}`)},
		{Text: true, Data: []byte(fmt.Sprintf(`{"list":{}%s}`, strings.Repeat(" ", channel.MaxRequest)))},
	} {
		end, served := serve(i)
		if err := end.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		wantCode(t, <-served, channel.CodeInvalid)
	}
	w := show(t, i, channel.TerminalOpen{})
	if err := w.end.Send(t.Context(), channel.Message{Text: true, Data: []byte(`{"open":{"cols":80,"rows":24}}`)}); err != nil {
		t.Fatal(err)
	}
	<-w.done
	wantCode(t, w.err, channel.CodeInvalid)
}

func TestRing(t *testing.T) {
	var r ring
	var all []byte
	for n := range 40 {
		p := bytes.Repeat([]byte{byte('a' + n%26)}, 1000*n+1)
		r.write(p)
		all = append(all, p...)
	}
	got := make([]byte, channel.ScrollBack+10)
	n := r.read(r.start(), got)
	if want := all[len(all)-channel.ScrollBack:]; !bytes.Equal(got[:n], want) || r.end != int64(len(all)) {
		t.Errorf("%d bytes of %d are kept, and they are others", n, r.end)
	}
	if n := r.read(r.end-5, got[:3]); n != 3 || !bytes.Equal(got[:3], all[len(all)-5:len(all)-2]) {
		t.Errorf("%d bytes, %q", n, got[:3])
	}
}
