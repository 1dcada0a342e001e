package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/agent/journal"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const streamErrorsNS = "xmlns='urn:ietf:params:xml:ns:xmpp-streams'"

func TestStreamErrors(t *testing.T) {
	for _, tt := range []struct {
		name      string
		inner     string
		low, high time.Duration // until the next connection
		level     zapcore.Level
		dialed    string // the second address
	}{
		{"conflict", "<conflict " + streamErrorsNS + "/>", time.Minute, 2 * time.Minute, zap.ErrorLevel, "server:443"},
		{"hint", "<system-shutdown " + streamErrorsNS + "/><retry xmlns='urn:signalbox:stream:1' after='20'/>", 20 * time.Second, 21 * time.Second, zap.WarnLevel, "server:443"},
		{"hint now", "<reset " + streamErrorsNS + "/><retry xmlns='urn:signalbox:stream:1' after='0'/>", 0, time.Second, zap.WarnLevel, "server:443"},
		{"endless hint", "<reset " + streamErrorsNS + "/><retry xmlns='urn:signalbox:stream:1' after='4294967295'/>", time.Hour, time.Hour + time.Second, zap.WarnLevel, "server:443"},
		{"unreadable hint", "<reset " + streamErrorsNS + "/><retry xmlns='urn:signalbox:stream:1' after='-1'/>", time.Second, 3 * time.Second, zap.WarnLevel, "server:443"},
		{"see-other-host", "<see-other-host " + streamErrorsNS + ">other:5222</see-other-host>", time.Second, 3 * time.Second, zap.WarnLevel, "other:5222"},
		{"see-other-host without port", "<see-other-host " + streamErrorsNS + ">other</see-other-host>", time.Second, 3 * time.Second, zap.WarnLevel, "other:443"},
		{"see-other-host with IPv6", "<see-other-host " + streamErrorsNS + ">[2001:db8::1]</see-other-host>", time.Second, 3 * time.Second, zap.WarnLevel, "[2001:db8::1]:443"},
		{"see-other-host that steers a proxy", "<see-other-host " + streamErrorsNS + ">other&#13;&#10;X: y</see-other-host>", time.Second, 3 * time.Second, zap.WarnLevel, "server:443"},
	} {
		for _, when := range []string{"online", "before login"} {
			t.Run(tt.name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := startAgent(t, testConfig(t))
					p := r.next().secure(nil)
					text := "<stream:error>" + tt.inner + "</stream:error></stream:stream>"
					if when == "online" {
						p.start()
					} else {
						p.until("'>")
						text = header + text
					}
					p.send(text)
					p.drain()
					began := time.Now()
					again := r.next()
					if took := time.Since(began); took < tt.low || took > tt.high {
						t.Errorf("came back after %v, want %v to %v", took, tt.low, tt.high)
					}
					logs := r.logs.All()
					if last := logs[len(logs)-1]; last.Level != tt.level {
						t.Errorf("logged %v %q, want %v", last.Level, last.Message, tt.level)
					}
					if got := r.addresses(); got[1] != tt.dialed {
						t.Errorf("dialed %v, want %s second", got, tt.dialed)
					}
					r.cancel()
					again.conn.Close()
					must(t, <-r.ended)
				})
			})
		}
	}
}

func TestProtocolViolationsEndTheSession(t *testing.T) {
	for name, text := range map[string]string{
		"impossible count":      fmt.Sprintf(ackFormat, 2),
		"count that goes back":  fmt.Sprintf(ackFormat, 1) + fmt.Sprintf(ackFormat, 0),
		"unreadable count":      "<a xmlns='urn:xmpp:sm:3' h='x'/>",
		"second stream header":  "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
		"comment":               "<!-- x -->",
		"undeclared prefix":     "<x:y/>",
		"stanza over the limit": "<message from='example.org'><body>" + strings.Repeat("x", 1<<20) + "</body></message>",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startAgent(t, testConfig(t))
				p := r.next().secure(nil)
				p.start()
				go func() { // the agent need not take all of it
					p.conn.SetWriteDeadline(time.Now().Add(time.Minute))
					p.conn.Write([]byte(text))
				}()
				p.gone()
				again := r.next().secure(nil)
				again.start()
				r.stop(again)
			})
		})
	}
}

// A server that reads nothing does not hold the agent up.
func TestServerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.start()
		time.Sleep(3 * time.Minute) // the ping is never read
		again := r.next().secure(nil)
		again.start()
		r.stop(again)
	})
}

func TestNextAddressAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.Addresses = []string{"a:443", "b:443", "c:5222"}
		r := startAgent(t, cfg, func(*Agent) {})
		r.mu.Lock()
		r.refuse["a:443"] = true
		r.mu.Unlock()
		r.next().conn.Close() // b accepts and hangs up
		r.next().conn.Close() // and does so when HTTP is spoken
		p := r.next()
		p.until("version='1.0'")
		if got, want := r.addresses(), []string{"a:443", "b:443", "b:443", "c:5222"}; !cmp.Equal(got, want) {
			t.Errorf("dialed %v, want %v", got, want)
		}
		r.cancel()
		p.conn.Close()
		must(t, <-r.ended)
	})
}

func TestReadyFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ready")
		r := startAgent(t, testConfig(t), WithReadyFile(path))
		p := r.next().secure(nil)
		p.start()
		synctest.Wait()
		text, err := os.ReadFile(path)
		must(t, err)
		var ready struct{ JID, Remote string }
		must(t, json.Unmarshal(text, &ready))
		if ready.JID != "pc-1@example.org/r1" {
			t.Errorf("ready file %s", text)
		}
		if r.logs.FilterMessage("online").Len() != 1 {
			t.Errorf("log: %v, want one line \"online\"", r.logs.All())
		}
		p.conn.Close()
		synctest.Wait()
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the ready file is there while the agent is offline: %v", err)
		}
		p = r.next().secure(nil)
		p.start()
		r.stop(p)
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the ready file is there after the agent ended: %v", err)
		}
	})
}

// When too much waits for handlers, pushes are taken neither into the journal nor acknowledged, until there is room again.
func TestBacklogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.Concurrency = 1
		r := startAgent(t, cfg, func(a *Agent) { a.backlog = 1 })
		p := r.next().secure(nil)
		p.start()
		release := make(chan struct{})
		r.agent.work.handlers.exact["slow"] = handler{run: func(_ context.Context, _ Push) (Result, bool) { <-release; return Result{OK: true}, true }}
		p.send(pushXML("p1", "slow", ""))
		p.expect(receiptXML("p1"))
		p.send(pushXML("p2", "agent.ping", "") + pushXML("p3", "agent.ping", "") + pushXML("p1", "slow", ""))
		p.expect(receiptXML("p1")) // known: it needs no room
		synctest.Wait()
		if n := r.agent.journal.Backlog(); n != 1 {
			t.Errorf("backlog of %d, want 1", n)
		}
		close(release)
		for _, want := range []string{resultXML("p1", "ok", ""), receiptXML("p2"), resultXML("p2", "ok", jsonXML(`{"pong":null}`)), receiptXML("p3"),
			resultXML("p3", "ok", jsonXML(`{"pong":null}`))} {
			got := p.until("</message>")
			if got = strings.ReplaceAll(got, ackRequest, ""); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		r.cancel()
		p.until("</stream:stream>")
		p.send("</stream:stream>")
		must(t, <-r.ended)
	})
}

// A handler that runs when the agent is stopped may end, and its result still leaves.
func TestStopWaitsForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.start()
		r.agent.work.handlers.exact["slow"] = handler{run: func(_ context.Context, _ Push) (Result, bool) {
			time.Sleep(5 * time.Second)
			return Result{OK: true}, true
		}}
		p.send(pushXML("p1", "slow", ""))
		p.expect(receiptXML("p1"))
		synctest.Wait()
		r.cancel()
		p.expect(resultXML("p1", "ok", ""))
		p.until("</stream:stream>")
		p.send(fmt.Sprintf(ackFormat, 3) + "</stream:stream>")
		must(t, <-r.ended)
		if got := r.phases()["p1"]; got != journal.Covered {
			t.Errorf("phase = %v, want covered: the count came before the end", got)
		}
	})
}

func TestStopWhileOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		r.next().conn.Close()
		synctest.Wait()
		r.stop(nil)
	})
}

// A server that does not answer the closing tag delays the stop by a few seconds only.
func TestStopWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.start()
		began := time.Now()
		r.cancel()
		p.expect("</stream:stream>")
		go p.readByte() // TLS says goodbye
		must(t, <-r.ended)
		if took := time.Since(began); took > 2*closeTimeout {
			t.Errorf("stopping took %v", took)
		}
	})
}

// Whatever the journal held when the agent was killed, the next agent finishes it.
func TestRestartTakesUpTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		j := mustOpen(t, cfg.StateDir)
		now := time.Now()
		for _, id := range []string{"received", "started", "done"} {
			if _, err := j.Receive(Push{ID: id, Type: "demo.x"}, now); err != nil {
				t.Fatal(err)
			}
		}
		must(t, j.Start("started", now))
		must(t, j.Done("done", Result{OK: true}, now))
		must(t, j.Close())
		r := startAgent(t, cfg)
		p := r.next().secure(nil)
		p.start()
		var got []string // what was only received is handled while the others are sent: the order is not fixed
		for range 3 {
			got = append(got, strings.ReplaceAll(p.until("</message>"), ackRequest, ""))
		}
		slices.Sort(got)
		want := []string{resultXML("done", "ok", ""), resultXML("received", "failed", jsonXML(`{"reason":"no_handler"}`)),
			resultXML("started", "failed", jsonXML(`{"reason":"interrupted"}`))}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		p.expect(ackRequest)
		p.send(fmt.Sprintf(ackFormat, 4))
		r.stop(p)
		for id, ph := range r.phases() {
			if ph != journal.Covered {
				t.Errorf("%s: phase %v, want covered", id, ph)
			}
		}
	})
}

func TestAckCountWraps(t *testing.T) {
	s := &session{sent: 2, acked: 1<<32 - 3, results: results{open: []openResult{{1<<32 - 2, "a", 1}, {0, "b", 1}, {2, "c", 1}}, size: 3}}
	for _, tt := range []struct {
		h    uint32
		want []string
		ok   bool
	}{{0, []string{"a", "b"}, true}, {2, []string{"c"}, true}, {2, nil, true}, {3, nil, false}, {1, nil, false}} {
		if got, ok := s.covered(tt.h); ok != tt.ok || !cmp.Equal(got, tt.want) {
			t.Errorf("covered(%d) = %v, %v, want %v, %v", tt.h, got, ok, tt.want, tt.ok)
		}
	}
	if s.results.size != 0 {
		t.Errorf("%d bytes on the way, want 0", s.results.size)
	}
}

// However many results wait, only some are on the way at a time, and all arrive.
func TestManyResultsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		j := mustOpen(t, cfg.StateDir)
		now := time.Now()
		long := json.RawMessage(`"` + strings.Repeat("x", 50<<10) + `"`)
		const count = 120 // 6 MiB: more than a session would ever queue
		for i := range count {
			id := fmt.Sprint(i)
			if _, err := j.Receive(Push{ID: id, Type: "demo.x"}, now); err != nil {
				t.Fatal(err)
			}
			must(t, j.Done(id, Result{OK: true, JSON: long}, now))
		}
		must(t, j.Close())
		r := startAgent(t, cfg)
		p := r.next().secure(nil)
		p.start()
		for stanzas, results := 1, 0; results < count; { // the first is the presence
			text := p.until(ackRequest)
			n := strings.Count(text, "</message>")
			if len(text) > 3*maxOpenBytes {
				t.Fatalf("%d bytes on the way", len(text))
			}
			results, stanzas = results+n, stanzas+n
			p.send(fmt.Sprintf(ackFormat, stanzas))
		}
		r.stop(p)
		for id, ph := range r.phases() {
			if ph != journal.Covered {
				t.Fatalf("%s: phase %v, want covered", id, ph)
			}
		}
	})
}
