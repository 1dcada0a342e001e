package agent

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// busyAgent has room for one push, which it handles until release is closed.
func busyAgent(t *testing.T) (r *run, p *peer, release chan struct{}) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Concurrency = 1
	r = startAgent(t, cfg, func(a *Agent) { a.backlog = 1 })
	p = r.next().secure(nil)
	p.start()
	release = make(chan struct{})
	r.agent.work.handlers.exact["slow"] = handler{run: func(context.Context, Push) (Result, bool) { <-release; return Result{OK: true}, true }}
	p.send(pushXML("p1", "slow", ""))
	p.expect(receiptXML("p1"))
	return r, p, release
}

// receipts reads n of them and returns their ids.
func (p *peer) receipts(n int) (ids []string) {
	p.t.Helper()
	for len(ids) < n {
		if _, rest, ok := strings.Cut(p.until("</message>"), "<received xmlns='urn:xmpp:receipts' id='"); ok {
			id, _, _ := strings.Cut(rest, "'")
			ids = append(ids, id)
		}
	}
	return ids
}

// TestMoreThanCanBeHeld: a push for which there is no place ends the session, so that the server sends it again; it is never passed over.
func TestMoreThanCanBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, release := busyAgent(t)
		var ids []string
		for i := range maxHeld + 1 {
			ids = append(ids, fmt.Sprintf("q%d", i))
		}
		for _, id := range ids[:maxHeld] {
			p.send(pushXML(id, "agent.ping", ""))
		}
		p.send(ackRequest)
		p.until(fmt.Sprintf(ackFormat, 1+maxHeld))
		p.send(pushXML(ids[maxHeld], "agent.ping", ""))
		began := time.Now()
		p.drain()
		again := r.next().secure(nil)
		if took := time.Since(began); took < baseWait || took > 3*baseWait {
			t.Errorf("came back after %v, want the backoff's %v to %v", took, baseWait, 3*baseWait)
		}
		close(release)
		again.start()
		for _, id := range ids {
			again.send(pushXML(id, "agent.ping", ""))
		}
		if diff := cmp.Diff(ids, again.receipts(len(ids))); diff != "" {
			t.Errorf("taken (-want +got):\n%s", diff)
		}
		r.cancel()
		again.until("</stream:stream>")
		again.send("</stream:stream>")
		must(t, <-r.ended)
	})
}

// TestHeldPushesGoFirst: a push that comes while others are held waits behind them, though there is room again.
func TestHeldPushesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, release := busyAgent(t)
		p.send(pushXML("q1", "agent.ping", "") + pushXML("q2", "agent.ping", ""))
		synctest.Wait()
		r.agent.backlog = 2 // room, of which only the end of a push tells
		p.send(pushXML("q3", "agent.ping", ""))
		synctest.Wait()
		close(release)
		if diff := cmp.Diff([]string{"q1", "q2", "q3"}, p.receipts(3)); diff != "" {
			t.Errorf("taken (-want +got):\n%s", diff)
		}
		r.cancel()
		p.until("</stream:stream>")
		p.send("</stream:stream>")
		must(t, <-r.ended)
	})
}

// TestRefusedPushesMakeRoom: a held push that is over at once lets the next one in.
func TestRefusedPushesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, release := busyAgent(t)
		p.send(pushXML("q1", "agent.ping", jsonXML("{")) + pushXML("q2", "agent.ping", ""))
		synctest.Wait()
		close(release)
		if diff := cmp.Diff([]string{"q1", "q2"}, p.receipts(2)); diff != "" {
			t.Errorf("taken (-want +got):\n%s", diff)
		}
		r.cancel()
		p.until("</stream:stream>")
		p.send("</stream:stream>")
		must(t, <-r.ended)
	})
}
