package tests

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// smallDisk mounts a file system of its own with room for 8 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Skipf("LEFT OUT: a full disk under the server: a file system of its own takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all the room that is left on the file system of the file.
func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		_, err := f.Write(make([]byte, size))
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		if err != nil {
			size /= 2
		}
	}
}

// try posts a push and returns the status and the answer.
func try(t *testing.T, s *harness.Server, body string) (*http.Response, string) {
	t.Helper()
	return badRequest{body: body}.send(t, s, strings.NewReplacer("$admin", "Bearer "+s.Token))
}

// exhaust posts pushes until there is no room for the smallest one, and returns the last answer. Those that are accepted on the way count as any others. The server copies its
// log when that is due, which makes room once more: it finds that by itself, and the pushes go on.
func exhaust(t *testing.T, s *harness.Server, filler string) (*http.Response, string) {
	t.Helper()
	refused := 0
	for i := range 400 {
		fill(t, filler)
		payload := ""
		if i%2 == 0 {
			payload = strings.Repeat("x", 60<<10)
		}
		resp, text := try(t, s, fmt.Sprintf(`{"to":"pc-away","type":"demo.fill","payload":%q}`, payload))
		if refused++; resp.StatusCode == http.StatusAccepted {
			refused = 0
		}
		if refused > 5 {
			if status, _ := readiness(t, s); status == http.StatusServiceUnavailable {
				return resp, text
			}
		}
	}
	t.Fatal("the disk does not get full")
	return nil, ""
}

// TestDiskFull: without room nothing is promised that cannot be kept, sessions live on, and everything goes on by itself when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	s := harness.Start(t, func(c *config.Config) { c.DataDir = dir })
	for _, id := range []string{"pc-1", "pc-2", "pc-away"} {
		register(t, s, id)
	}
	pc, other := online(t, s, "pc-1"), online(t, s, "pc-2")
	pc.Send("<enable xmlns='urn:xmpp:sm:3'/>")
	pc.Want("<enabled ")
	first := s.Submit(t, `{"to":"pc-1","type":"demo.first","ack":"handled"}`)
	pc.Want("id='" + first + "'")
	pc.Want("<r ")
	s.AwaitPush(t, first, "sent")
	ready(t, s, http.StatusOK)

	filler := filepath.Join(dir, "filler")
	resp, text := exhaust(t, s, filler)
	if resp.StatusCode != http.StatusInsufficientStorage || !strings.Contains(text, `"code":"insufficient_storage"`) || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q, %s; want 507 insufficient_storage", resp.StatusCode, resp.Header.Get("Retry-After"), text)
	}
	ready(t, s, http.StatusServiceUnavailable)
	pc.Send(receipt(first) + result(first) + pingServer + "<r xmlns='urn:xmpp:sm:3'/>")
	pc.Want("<iq type='result'", "id='p'")
	pc.Want("<a ", "h='0'") // not the receipt, and so nothing behind it
	other.Send(pingServer)
	other.Want("<iq type='result'", "id='p'")
	if got := s.Push(t, first).State; got != "sent" {
		t.Errorf("the push is %s, want sent as long as its receipt is not stored", got)
	}
	other.Send("</stream:stream>") // noted when there is room, see below

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	pc.Want("<a ", "h='3'")
	s.AwaitPush(t, first, "handled")
	ready(t, s, http.StatusOK)
	second := s.Submit(t, `{"to":"pc-1","type":"demo.second"}`)
	pc.Want("id='" + second + "'")
	pc.Send("<a xmlns='urn:xmpp:sm:3' h='3'/>" + receipt(second))
	s.AwaitPush(t, second, "delivered")
	s.AwaitPresence(t, "pc-2", "offline")
}

// TestDiskFullUnderAgent: the agent is done when the server cannot store its result, and keeps it until it can.
func TestDiskFullUnderAgent(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t)
	s, h := harness.Start(t, func(c *config.Config) { c.DataDir = dir }), newHandlers(t)
	program, err := os.ReadFile(filepath.Join(h.dir, "block"))
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "block", string(program)+": > "+h.dir+"/ended\n")
	register(t, s, "pc-1")
	register(t, s, "pc-away")
	runAgent(t, h.agentConfig(s, "pc-1", s.Addr("tls")))
	s.AwaitPresence(t, "pc-1", "online")
	id := s.Submit(t, `{"to":"pc-1","type":"demo.block","ack":"handled"}`)
	h.awaitFile(t, "started")
	s.AwaitPush(t, id, "delivered")

	filler := filepath.Join(dir, "filler")
	exhaust(t, s, filler)
	h.write(t, "go", "")
	h.awaitFile(t, "ended")
	ready(t, s, http.StatusServiceUnavailable)
	if got := s.Push(t, id).State; got != "delivered" {
		t.Errorf("the push is %s, want delivered as long as its result is not stored", got)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.AwaitPush(t, id, "handled")
	if got := h.effects(t); got[id] != 1 {
		t.Errorf("the push took effect %d times", got[id])
	}
}

func result(id string) string {
	return "<message to='" + harness.Domain + "'><result xmlns='urn:signalbox:push:1' id='" + id + "' status='ok'/></message>"
}

// ready waits until /readyz answers with this status.
func ready(t *testing.T, s *harness.Server, want int) {
	t.Helper()
	var got int
	var text []byte
	harness.Await(t, func() bool {
		got, text = readiness(t, s)
		return got == want
	}, func() string { return fmt.Sprintf("/readyz answers %d, want %d: %s", got, want, text) })
}

// readiness asks /readyz.
func readiness(t *testing.T, s *harness.Server) (status int, text []byte) {
	t.Helper()
	resp, err := http.Get(s.URL() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}
