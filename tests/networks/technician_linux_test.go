package networks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/channel/client"
	"signalbox/internal/signalling"
	"signalbox/internal/viewer"
)

// technicianArgument has the test's program be the technician, in a network of its own.
const technicianArgument = "technician"

// task is the first line that the technician is given: the session. Each further line is a word that the endpoint's shell has to say.
type task struct{ Session, Token, URL, CA string }

// said is what the technician answers to a word, once the shell has said it.
type said struct {
	Word     string
	Rung     string // by which the endpoint is reached
	Failed   []signalling.Failed
	Terminal string
	Lost     int64         // bytes of its output
	Channels int           // that were needed so far
	Silent   time.Duration // that passed since the endpoint was reached again until the shell spoke; 0: it was not lost
	Error    string        // why the session is over; then nothing follows
}

// technician keeps one terminal open, whatever happens on the way to it.
type technician struct {
	viewer   *viewer.Viewer
	words    chan string
	out      *json.Encoder
	channels int

	mu    sync.Mutex
	shown bytes.Buffer // output of the shell since the last word
	grown chan struct{}
	lost  bool      // there is no way to the endpoint
	found time.Time // when there was one again; zero: it was not lost since the last word
}

// changed notes when the endpoint is lost and reached again.
func (t *technician) changed(p signalling.Path) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost && p.Rung != "" && p.Rung != signalling.RungRelay { // there a way is one as soon as this side's half is
		t.found = time.Now()
	}
	t.lost = p.Rung == ""
}

// silence returns for how long the shell was silent although the endpoint was reached again, and forgets it.
func (t *technician) silence() (d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.found.IsZero() {
		d = time.Since(t.found)
	}
	t.found, t.lost = time.Time{}, false // the shell speaks: the way may be told of later, and is not found then
	return d
}

// serveTechnician is the program.
func serveTechnician(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	var given task
	if !lines.Scan() {
		return errors.New("no task")
	}
	if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
		return err
	}
	cfg, err := given.viewer()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	t := &technician{words: make(chan string), out: json.NewEncoder(out), grown: make(chan struct{}, 1), lost: true}
	cfg.OnPath = t.changed
	t.viewer = viewer.New(cfg)
	go func() { cancel(fmt.Errorf("the viewer has ended: %w", t.viewer.Run(ctx))) }()
	go func() {
		for lines.Scan() {
			t.words <- lines.Text()
		}
		cancel(io.EOF)
	}()
	if err := t.work(ctx); !errors.Is(err, io.EOF) {
		return t.out.Encode(said{Error: err.Error()})
	}
	return nil
}

func (k task) viewer() (viewer.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(k.CA)) {
		return viewer.Config{}, errors.New("no authorities")
	}
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
	return viewer.Config{
		Session: k.Session, Token: k.Token, HTTP: web, Call: viewer.WebSocket(k.URL, web),
		Dial: func(ctx context.Context, address string, secure bool) (net.Conn, error) {
			if !secure {
				return new(net.Dialer).DialContext(ctx, "tcp", address)
			}
			own := trust.Clone()
			own.NextProtos = []string{"stun.turn"}
			return (&tls.Dialer{Config: own}).DialContext(ctx, "tcp", address)
		},
	}, nil
}

// work answers words until ctx ends.
func (t *technician) work(ctx context.Context) error {
	open, pending := channel.TerminalOpen{Cols: 80, Rows: 24}, ""
	for ctx.Err() == nil { // each turn is a channel
		terminal, err := t.attach(ctx, open)
		if err != nil {
			var refused *channel.Error
			if errors.As(err, &refused) {
				return err
			}
			pause(ctx, time.Second)
			continue
		}
		opened := terminal.Opened()
		seen := opened.From
		life, over := context.WithCancel(ctx)
		read := make(chan struct{})
		go func() {
			defer close(read)
			defer over()
			_, seen, _ = terminal.Copy(life, t)
		}()
		pending = t.talk(life, terminal, opened, pending)
		over()
		<-read
		_ = terminal.Close()
		open.Terminal, open.From = opened.Terminal, seen
	}
	return context.Cause(ctx)
}

// attach opens a channel for the terminal.
func (t *technician) attach(ctx context.Context, open channel.TerminalOpen) (*client.Terminal, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := t.viewer.Open(ctx, channel.Terminal)
	if err != nil {
		return nil, err
	}
	t.channels++
	terminal, err := client.OpenTerminal(ctx, conn, open)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return terminal, nil
}

// talk types words until life ends, and returns the one that the shell has not said yet. It begins with one of the channel before.
func (t *technician) talk(life context.Context, terminal *client.Terminal, opened channel.TerminalOpened, word string) (pending string) {
	for {
		if word == "" {
			select {
			case word = <-t.words:
			case <-life.Done():
				return ""
			}
		}
		// What is typed is echoed; only what the shell makes of it has a 2.
		if err := terminal.Type(life, []byte("echo "+word+"-$((1+1))\n")); err != nil {
			<-life.Done()
			return word
		}
		if !t.await(life, word+"-2") {
			return word
		}
		silent := t.silence()
		p := t.path(life)
		if err := t.out.Encode(said{Word: word, Rung: p.Rung, Failed: p.Failed, Terminal: opened.Terminal, Lost: opened.Lost, Channels: t.channels, Silent: silent}); err != nil {
			return word
		}
		word = ""
	}
}

// path returns by which way the endpoint is reached, as soon as that is known: the viewer looks once a second.
func (t *technician) path(life context.Context) signalling.Path {
	life, cancel := context.WithTimeout(life, 5*time.Second)
	defer cancel()
	for {
		p := t.viewer.Path()
		if p.Rung != "" || life.Err() != nil {
			return p
		}
		pause(life, 100*time.Millisecond)
	}
}

// await waits until the shell has said something.
func (t *technician) await(life context.Context, text string) bool {
	for {
		t.mu.Lock()
		found := strings.Contains(t.shown.String(), text)
		if found {
			t.shown.Reset()
		}
		t.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-t.grown:
		case <-life.Done():
			return false
		}
	}
}

// Write takes output of the shell.
func (t *technician) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.shown.Write(p)
	t.mu.Unlock()
	select {
	case t.grown <- struct{}{}:
	default:
	}
	return len(p), nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// asTechnician is the technician, if this program was started as that.
func asTechnician() (ran bool, status int) {
	if len(os.Args) != 2 || os.Args[1] != technicianArgument {
		return false, 0
	}
	if err := serveTechnician(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "technician:", err)
		return true, 1
	}
	return true, 0
}
