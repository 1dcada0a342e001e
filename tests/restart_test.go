package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

const sessionsFile = "sessions.kept"

// resumable logs an endpoint in, with a session that it may resume, and returns its id.
func resumable(t *testing.T, st *harness.Stream, id string) string {
	t.Helper()
	st.Login(id, "s3cret-1", "r")
	st.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	_, rest, _ := strings.Cut(st.Want("<enabled", "resume='true'"), " id='")
	smid, _, _ := strings.Cut(rest, "'")
	st.Send("<presence/>")
	return smid
}

// skipRequests returns the next item that is no <r/>.
func skipRequests(st *harness.Stream) string {
	for {
		if item := st.Next(); !strings.HasPrefix(item, "<r ") {
			return item
		}
	}
}

// sentOnce fails unless the push was accepted, sent and delivered, each once.
func sentOnce(t *testing.T, s *harness.Server, id string) {
	t.Helper()
	if got := s.AwaitPush(t, id, "delivered").States(); !slices.Equal(got, []string{"accepted", "sent", "delivered"}) {
		t.Errorf("push %s was %v", id, got)
	}
}

// TestResumptionOverRestart: a session goes on after an ordered stop of the server: what was acknowledged does not come again, what was not comes once, what was pushed
// meanwhile comes behind it, and no push returns to the queue.
func TestResumptionOverRestart(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	pc := s.Connect(t, "pc")
	smid := resumable(t, pc, "pc-1")
	var ids []string
	for range 3 {
		ids = append(ids, s.Submit(t, `{"to":"pc-1","type":"demo.any"}`))
	}
	for _, id := range ids {
		if item := skipRequests(pc); !strings.Contains(item, "id='"+id+"'") {
			t.Fatalf("got %s, want push %s", item, id)
		}
	}
	pc.Send(receipt(ids[0]))
	sentOnce(t, s, ids[0])
	s.AwaitPush(t, ids[2], "sent")
	s.KeepPorts()
	s.Stop()
	if end := skipRequests(pc); !strings.Contains(end, "<system-shutdown") || !strings.Contains(end, "<retry xmlns='urn:signalbox:stream:1' after='") {
		t.Errorf("the stream ended with %s", end)
	}
	file := filepath.Join(s.Config.DataDir, sessionsFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%s: %v, %v", file, info, err)
	}

	s.Run()
	if p := s.AwaitPresence(t, "pc-1", "offline"); !strings.Contains(p, `"reason":"shutdown"`) {
		t.Errorf("presence = %s", p)
	}
	late := s.Submit(t, `{"to":"pc-1","type":"demo.late"}`)
	back := s.Connect(t, "back")
	back.Authenticate("pc-1", "s3cret-1")
	back.Send("<resume xmlns='urn:xmpp:sm:3' previd='" + smid + "' h='2'/>") // the third did not arrive
	back.Want("<resumed", "previd='"+smid+"'", "h='2'")                      // presence and the first receipt
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	for _, id := range []string{ids[2], late} {
		if item := skipRequests(back); !strings.Contains(item, "id='"+id+"'") {
			t.Fatalf("got %s, want push %s", item, id)
		}
	}
	for _, id := range []string{ids[1], ids[2], late} {
		back.Send(receipt(id))
		sentOnce(t, s, id)
	}
	s.AwaitPresence(t, "pc-1", "online")
	back.Send("<r xmlns='urn:xmpp:sm:3'/>")
	item := skipRequests(back)
	if strings.Contains(item, "<a xmlns='urn:xmpp:sm:3' h='4'/>") { // it follows when the last of them counts
		item = skipRequests(back)
	}
	if !strings.Contains(item, "<a xmlns='urn:xmpp:sm:3' h='5'/>") {
		t.Errorf("after three more receipts: %s", item)
	}
}

// stopped is a server that stopped while a push was on the way to pc-1, whose session can be resumed by smid.
func stopped(t *testing.T, changes ...func(*config.Config)) (s *harness.Server, smid, push string) {
	t.Helper()
	s = harness.Start(t, changes...)
	register(t, s, "pc-1")
	pc := s.Connect(t, "pc")
	smid = resumable(t, pc, "pc-1")
	push = s.Submit(t, `{"to":"pc-1","type":"demo.any"}`)
	skipRequests(pc)
	s.AwaitPush(t, push, "sent")
	s.KeepPorts()
	s.Stop()
	return s, smid, push
}

// again logs pc-1 in and asks for its session.
func again(t *testing.T, s *harness.Server, smid string) (st *harness.Stream, answer string) {
	t.Helper()
	st = s.Connect(t, "again")
	st.Authenticate("pc-1", "s3cret-1")
	st.Send("<resume xmlns='urn:xmpp:sm:3' previd='" + smid + "' h='0'/>")
	return st, st.Next()
}

// redelivered fails unless the push comes to a new session, having been in these states.
func redelivered(t *testing.T, s *harness.Server, st *harness.Stream, push string, want ...string) {
	t.Helper()
	st.Send("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	st.Want("type='result'")
	st.Send("<presence/>")
	if item := skipRequests(st); !strings.Contains(item, "id='"+push+"'") {
		t.Fatalf("got %s, want push %s", item, push)
	}
	st.Send(receipt(push))
	if got := s.AwaitPush(t, push, "delivered").States(); !slices.Equal(got, want) {
		t.Errorf("push was %v, want %v", got, want)
	}
}

var returned = []string{"accepted", "sent", "accepted", "sent", "delivered"}

// TestNotResumedAfterRestart: what a kept session carried comes again when that session is over, whatever ended it.
func TestNotResumedAfterRestart(t *testing.T) {
	t.Parallel()
	file := func(s *harness.Server) string { return filepath.Join(s.Config.DataDir, sessionsFile) }
	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		s, smid, push := stopped(t, func(c *config.Config) { c.XMPP.ResumeTimeout, c.Drain.Period = 2*time.Second, time.Second })
		s.Run()
		s.AwaitPush(t, push, "accepted")
		st, answer := again(t, s, smid)
		if !strings.Contains(answer, "<item-not-found") {
			t.Errorf("got %s", answer)
		}
		redelivered(t, s, st, push, returned...)
	})
	t.Run("too late to be loaded", func(t *testing.T) {
		t.Parallel()
		s, smid, push := stopped(t, func(c *config.Config) { c.XMPP.ResumeTimeout = 3 * time.Second })
		harness.Await(t, func() bool {
			info, err := os.Stat(file(s))
			return err == nil && time.Since(info.ModTime()) > s.Config.XMPP.ResumeTimeout+s.Config.Drain.Period
		}, func() string { return "no file" })
		s.Run()
		st, answer := again(t, s, smid)
		if !strings.Contains(answer, "<item-not-found") {
			t.Errorf("got %s", answer)
		}
		redelivered(t, s, st, push, returned...)
	})
	t.Run("a new session", func(t *testing.T) {
		t.Parallel()
		s, smid, push := stopped(t)
		s.Run()
		st := s.Connect(t, "new")
		st.Authenticate("pc-1", "s3cret-1")
		redelivered(t, s, st, push, returned...)
		if _, answer := again(t, s, smid); !strings.Contains(answer, "<item-not-found") {
			t.Errorf("got %s", answer)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		t.Parallel()
		s, smid, push := stopped(t)
		text, err := os.ReadFile(file(s))
		if err == nil {
			text[len(text)/2] ^= 1
			err = os.WriteFile(file(s), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Run()
		st, answer := again(t, s, smid)
		if !strings.Contains(answer, "<item-not-found") {
			t.Errorf("got %s", answer)
		}
		redelivered(t, s, st, push, returned...)
	})
	t.Run("no room", func(t *testing.T) {
		t.Parallel()
		s, smid, push := stopped(t, func(c *config.Config) { c.Drain.KeepBytes = 0 })
		if _, err := os.Stat(file(s)); !os.IsNotExist(err) {
			t.Errorf("a file: %v", err)
		}
		s.Run()
		st, answer := again(t, s, smid)
		if !strings.Contains(answer, "<item-not-found") {
			t.Errorf("got %s", answer)
		}
		redelivered(t, s, st, push, returned...)
	})
	t.Run("two restarts", func(t *testing.T) {
		t.Parallel()
		s, smid, push := stopped(t)
		s.Run()
		s.AwaitPresence(t, "pc-1", "offline")
		harness.Await(t, func() bool { _, err := os.Stat(file(s)); return os.IsNotExist(err) }, func() string { return "the file is still there" })
		s.Stop()
		s.Run()
		st, answer := again(t, s, smid)
		if !strings.Contains(answer, "<resumed") {
			t.Fatalf("got %s", answer)
		}
		if item := skipRequests(st); !strings.Contains(item, "id='"+push+"'") {
			t.Fatalf("got %s, want push %s", item, push)
		}
		st.Send(receipt(push))
		sentOnce(t, s, push)
	})
}

// TestAgentGoesOnOverRestart: the agent resumes its session after an ordered restart: what it handles meanwhile counts, what was pushed meanwhile comes, nothing comes or takes
// effect twice.
func TestAgentGoesOnOverRestart(t *testing.T) {
	t.Parallel()
	s, h := harness.Start(t), newHandlers(t)
	register(t, s, "pc-1")
	runAgent(t, h.agentConfig(s, "pc-1", s.Addr("tls")))
	since := func(state string) string {
		t.Helper()
		text := s.AwaitPresence(t, "pc-1", state)
		_, rest, found := strings.Cut(text, `"session_since":"`)
		if !found {
			t.Fatalf("presence without session_since: %s", text)
		}
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	began := since("online")
	// A handler that runs while the server is away.
	h.write(t, "block", "echo \"$SIGNALBOX_PUSH_ID\" >> "+h.dir+"/effects\n: > "+h.dir+"/started\nwhile [ ! -e "+h.dir+"/go ]; do sleep 0.05; done\n")
	running := s.Submit(t, `{"to":"pc-1","type":"demo.block","ack":"handled"}`)
	h.awaitFile(t, "started")
	s.AwaitPush(t, running, "delivered")
	s.KeepPorts()
	s.Stop()
	h.write(t, "go", "")
	s.Run()
	late := s.Submit(t, `{"to":"pc-1","type":"demo.count","payload":2,"ack":"handled"}`)
	if got := s.AwaitPush(t, late, "handled").States(); !slices.Equal(got, []string{"accepted", "sent", "delivered", "handled"}) {
		t.Errorf("late was %v", got)
	}
	if got := s.AwaitPush(t, running, "handled").States(); !slices.Equal(got, []string{"accepted", "sent", "delivered", "handled"}) {
		t.Errorf("running was %v", got)
	}
	if now := since("online"); now != began {
		t.Errorf("the session began %s, want %s: it is another one", now, began)
	}
	for id, n := range h.effects(t) {
		if n != 1 {
			t.Errorf("push %s took effect %d times", id, n)
		}
	}
}
