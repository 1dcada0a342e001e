package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// remote is the endpoint's side of one session: what outlives its channels.
type remote struct {
	fake *fake

	mu        sync.Mutex
	terminals []*terminal
	attached  int // how often somebody attached to one
}

// terminal is a shell that knows a few words.
type terminal struct {
	id     string
	output []byte
	line   string
	size   object
	conn   *websocket.Conn // nil: nobody is attached
}

func newRemote(f *fake) *remote { return &remote{fake: f} }

func (f *fake) serveRelay(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	t := f.tickets[r.PathValue("ticket")]
	delete(f.tickets, r.PathValue("ticket"))
	f.mu.Unlock()
	if t == nil {
		http.Error(w, "no such ticket", http.StatusNotFound)
		return
	}
	t.session.remote.serve(w, r, t.name)
}

// serveChannel is what a data channel of the answering page is joined to.
func (f *fake) serveChannel(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	s := f.sessions[r.PathValue("session")]
	f.mu.Unlock()
	s.remote.serve(w, r, r.PathValue("name"))
}

func (e *remote) serve(w http.ResponseWriter, r *http.Request, name string) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	c.SetReadLimit(64 << 10)
	switch name {
	case "system":
		serveRequests(r.Context(), c, systemAnswer)
	case "processes":
		serveRequests(r.Context(), c, e.fake.processesAnswer)
	case "terminal":
		e.serveTerminal(r.Context(), c)
	case "files":
		e.fake.serveFiles(r.Context(), c)
	}
}

func serveRequests(ctx context.Context, c *websocket.Conn, reply func(object) object) {
	for {
		var m object
		if wsjson.Read(ctx, c, &m) != nil {
			return
		}
		a := reply(m)
		a["id"] = m["id"]
		if wsjson.Write(ctx, c, a) != nil {
			return
		}
	}
}

func systemAnswer(m object) object {
	if _, ping := m["ping"]; ping {
		return object{"pong": object{}}
	}
	return object{"system": object{
		"hostname": "pc-1", "os": "linux", "platform": "debian", "version": "13", "kernel": "6.12", "arch": "amd64", "cpus": 2, "cpu_model": "Fake CPU", "memory_total": 8e9,
		"memory_free": 3e9, "uptime_seconds": 90000, "boot": at(25 * time.Hour), "load": []float64{0.1, 0.2, 0.3}, "disks": []object{{"path": "/", "total": 1e11, "free": 4e10}},
		"interfaces": []object{{"name": "eth0", "mac": "02:00:00:00:00:01", "addresses": []string{"192.0.2.7/24"}}}, "users": []string{"carol"}, "agent": "test",
	}}
}

func (f *fake) processesAnswer(m object) object {
	f.mu.Lock()
	defer f.mu.Unlock()
	if kill, _ := m["kill"].(object); kill != nil {
		f.killed = append(f.killed, kill["pid"].(float64))
		return object{"killed": true}
	}
	all := []object{}
	for i, name := range []string{"init", "sshd", "postgres", "runaway"} {
		gone := false
		for _, pid := range f.killed {
			gone = gone || pid == float64(100+i)
		}
		if !gone {
			all = append(all, object{
				"pid": 100 + i, "parent": 1, "name": name, "user": "root", "command": "/usr/sbin/" + name + " --with=arguments that are long enough to be cut off in a narrow table",
				"cpu": float64(i) * 33.3, "memory": 1e6 * float64(10-i), "started": "2026-01-02T03:04:05.000Z",
			})
		}
	}
	return object{"processes": all}
}

func (e *remote) serveTerminal(ctx context.Context, c *websocket.Conn) {
	var t *terminal
	for {
		kind, data, err := c.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			e.typed(ctx, t, data)
			continue
		}
		var m struct {
			Open *struct {
				Cols, Rows, From int
				Terminal         string
			}
			Resize object
			List   object
			End    object
		}
		if json.Unmarshal(data, &m) != nil {
			return
		}
		switch {
		case m.Open != nil:
			if t = e.attach(ctx, c, m.Open.Terminal, m.Open.From); t == nil {
				_ = wsjson.Write(ctx, c, object{"error": object{"code": "not_found", "detail": "there is no such terminal"}})
				_ = c.Close(websocket.StatusNormalClosure, "")
				return
			}
		case m.Resize != nil:
			e.mu.Lock()
			t.size = m.Resize
			e.mu.Unlock()
		case m.List != nil:
			_ = wsjson.Write(ctx, c, object{"terminals": e.list()})
		case m.End != nil:
			e.exit(ctx, t, 129)
		}
	}
}

func (e *remote) list() []object {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []object{}
	for _, t := range e.terminals {
		all = append(all, object{"terminal": t.id, "cols": 80, "rows": 24, "command": "sh", "attached": t.conn != nil})
	}
	return all
}

func (e *remote) attach(ctx context.Context, c *websocket.Conn, id string, from int) *terminal {
	e.mu.Lock()
	defer e.mu.Unlock()
	var t *terminal
	for _, known := range e.terminals {
		if known.id == id {
			t = known
		}
	}
	if id == "" {
		t = &terminal{id: fmt.Sprintf("t%d", len(e.terminals)+1), output: []byte("$ ")}
		e.terminals = append(e.terminals, t)
	}
	if t == nil {
		return nil
	}
	t.conn = c
	e.attached++
	_ = wsjson.Write(ctx, c, object{"opened": object{"terminal": t.id, "from": from, "lost": 0}})
	_ = c.Write(ctx, websocket.MessageBinary, t.output[from:])
	return t
}

// typed echoes, and runs each line.
func (e *remote) typed(ctx context.Context, t *terminal, data []byte) {
	for _, b := range data {
		if b != '\r' {
			t.line += string(b)
			e.print(ctx, t, string(b))
			continue
		}
		line := t.line
		t.line = ""
		switch {
		case line == "exit":
			e.exit(ctx, t, 3)
			return
		case line == "colours":
			e.print(ctx, t, "\r\n\x1b[38;2;200;10;20mTRUE\x1b[0m \x1b[1;32mBOLD\x1b[0m\r\n$ ")
		default:
			e.print(ctx, t, "\r\nran "+strings.ToUpper(line)+"\r\n$ ")
		}
	}
}

func (e *remote) print(ctx context.Context, t *terminal, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t.output = append(t.output, text...)
	if t.conn != nil {
		_ = t.conn.Write(ctx, websocket.MessageBinary, []byte(text))
	}
}

func (e *remote) exit(ctx context.Context, t *terminal, status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, known := range e.terminals {
		if known == t {
			e.terminals = append(e.terminals[:i:i], e.terminals[i+1:]...)
		}
	}
	_ = wsjson.Write(ctx, t.conn, object{"exit": object{"status": status}})
	_ = t.conn.Close(websocket.StatusNormalClosure, "")
}

// cols is the width of the first terminal, as the technician said last; 0: never.
func (e *remote) cols() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.terminals) == 0 {
		return 0
	}
	cols, _ := e.terminals[0].size["cols"].(float64)
	return int(cols)
}
