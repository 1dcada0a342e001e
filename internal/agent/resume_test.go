package agent

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/internal/agent/journal"
	"signalbox/internal/agent/login"
)

// startResumable plays all up to the initial presence of a session that can be resumed.
func (p *peer) startResumable(attrs string) {
	p.t.Helper()
	p.login("")
	p.expect("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	p.send("<enabled xmlns='urn:xmpp:sm:3' id='sm-1' resume='true'" + attrs + "/>")
	p.expect("<presence/>")
}

// resume plays a login up to the agent's request, which must have this count, and answers it.
func (p *peer) resume(h int, answer string) {
	p.t.Helper()
	p.open(mechanisms("SCRAM-SHA-256"))
	p.scram("SCRAM-SHA-256", "s3cret")
	p.open(boundFeatures)
	p.expect(fmt.Sprintf("<resume xmlns='urn:xmpp:sm:3' h='%d' previd='sm-1'/>", h))
	p.send(answer)
}

func resumed(h int) string {
	return fmt.Sprintf("<resumed xmlns='urn:xmpp:sm:3' previd='sm-1' h='%d'/>", h)
}

// What the server has not handled is sent again, once, and nothing that a new session begins with.
func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name string
		lose func(p *peer)
	}{
		{"connection lost", func(p *peer) { p.conn.Close() }},
		{"server stops and keeps the session", func(p *peer) {
			p.send("<stream:error><system-shutdown " + streamErrorsNS + "/><retry xmlns='urn:signalbox:stream:1' after='5'/></stream:error>")
			p.drain()
		}},
		{"server is silent", func(p *peer) { time.Sleep(2 * time.Minute); p.drain() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startAgent(t, testConfig(t), func(a *Agent) { a.random = func(int64) int64 { return 0 } })
				p := r.next().secure(nil)
				p.startResumable("")
				p.send(pushXML("p1", "agent.ping", ""))
				answers := receiptXML("p1") + resultXML("p1", "ok", jsonXML(`{"pong":null}`))
				p.expect(answers + ackRequest)
				p.send(fmt.Sprintf(ackFormat, 1)) // the presence
				tt.lose(p)
				p = r.next().secure(nil)
				p.resume(1, resumed(2)) // the receipt has arrived, too
				p.expect(strings.TrimPrefix(answers, receiptXML("p1")))
				if tt.name == "server is silent" { // what asked for a sign of life is sent again as well
					p.until("</iq>")
				}
				p.expect(ackRequest)
				p.send(pushXML("p2", "agent.ping", ""))
				p.expect(receiptXML("p2"))
				r.agent.mu.Lock()
				goesOn := r.agent.current.stream.Resumed
				r.agent.mu.Unlock()
				if !goesOn {
					t.Error("the session is not the resumed one")
				}
				r.stopAnyhow(p)
			})
		})
	}
}

// A session that the server has no more is begun anew on the same stream, with all that the journal has.
func TestResumeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.startResumable("")
		p.send(pushXML("p1", "agent.ping", ""))
		p.expect(receiptXML("p1") + resultXML("p1", "ok", jsonXML(`{"pong":null}`)) + ackRequest)
		p.conn.Close()
		p = r.next().secure(nil)
		p.resume(1, "<failed xmlns='urn:xmpp:sm:3' h='3'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
		request := p.until("</iq>")
		_, id, _ := strings.Cut(request, `id="`)
		id, _, _ = strings.Cut(id, `"`)
		p.send("<iq type='result' id='" + id + "'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>pc-1@" + testDomain + "/r2</jid></bind></iq>")
		p.enable()
		p.expect(resultXML("p1", "ok", jsonXML(`{"pong":null}`)) + ackRequest)
		r.stopAnyhow(p)
	})
}

// Sessions that ended otherwise, or too long ago, are not asked for.
func TestNothingToResume(t *testing.T) {
	streamError := func(condition string) func(p *peer) {
		return func(p *peer) {
			p.send("<stream:error><" + condition + " " + streamErrorsNS + "/></stream:error>")
			p.drain()
		}
	}
	for _, tt := range []struct {
		name, attrs string
		lose        func(p *peer)
	}{
		{"another has the identity", "", streamError("conflict")},
		{"disabled", "", streamError("not-authorized")},
		{"reset", "", streamError("reset")},
		{"closed", "", func(p *peer) { p.send("</stream:stream>"); p.drain() }},
		{"broken protocol", "", func(p *peer) { p.send("<!-- x -->"); p.drain() }},
		{"the server keeps it no longer", " max='0'", func(p *peer) { p.conn.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startAgent(t, testConfig(t))
				p := r.next().secure(nil)
				p.startResumable(tt.attrs)
				tt.lose(p)
				p = r.next().secure(nil)
				p.start()
				r.stopAnyhow(p)
			})
		})
	}
}

// A server that says nonsense in the resumption is left, and not asked for that session again.
func TestResumeOutOfBounds(t *testing.T) {
	for name, answer := range map[string]string{
		"handled more than was sent": resumed(99),
		"unreadable count":           "<resumed xmlns='urn:xmpp:sm:3' previd='sm-1' h='x'/>",
		"something else":             "<x xmlns='urn:x'/>",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := startAgent(t, testConfig(t))
				p := r.next().secure(nil)
				p.startResumable("")
				p.conn.Close()
				p = r.next().secure(nil)
				p.resume(0, answer)
				p.drain()
				for p = r.next().secure(nil); ; p = r.next().secure(nil) {
					p.open(mechanisms("PLAIN"))
					p.until("</auth>")
					p.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
					p.open(boundFeatures)
					if !strings.HasPrefix(p.until(">"), "<resume") {
						break
					}
					t.Fatal("the agent asks for the session again")
				}
				r.stopAnyhow(p)
			})
		})
	}
}

// What was done without a connection is sent when the session goes on, and pushes that found no room before are taken then.
func TestResumeAfterWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t)
		cfg.Concurrency = 1
		r := startAgent(t, cfg, func(a *Agent) { a.backlog = 1 })
		p := r.next().secure(nil)
		p.startResumable("")
		release := make(chan struct{})
		r.agent.work.handlers.exact["slow"] = handler{run: func(context.Context, Push) (Result, bool) { <-release; return Result{OK: true}, true }}
		p.send(pushXML("p1", "slow", "") + pushXML("p2", "agent.ping", ""))
		p.expect(receiptXML("p1"))
		synctest.Wait()
		p.conn.Close()
		synctest.Wait()
		close(release)
		p = r.next().secure(nil)
		p.resume(2, resumed(2))
		got := p.until(receiptXML("p2"))
		if want := resultXML("p1", "ok", ""); !strings.Contains(got, want) || strings.Contains(got, "<presence") {
			t.Errorf("got %s, want %s in it and no presence", got, want)
		}
		r.stopAnyhow(p)
	})
}

// The server may ask to be met elsewhere; that address comes first.
func TestResumeAtLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startAgent(t, testConfig(t))
		p := r.next().secure(nil)
		p.startResumable(" location='other.example'")
		p.conn.Close()
		p = r.next().secure(nil)
		p.resume(0, resumed(1))
		if got := r.addresses()[1]; got != "other.example:443" {
			t.Errorf("the agent came back to %s, want other.example:443", got)
		}
		r.stopAnyhow(p)
	})
}

// What is kept is bounded; beyond that the session goes on and cannot be resumed.
func TestResumptionIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name        string
		size, count int
		want        bool
	}{{"much", 64 << 10, 16, true}, {"too much", 64 << 10, 17, false}, {"many", 1, maxUnackedCount, true}, {"too many", 1, maxUnackedCount + 1, false}} {
		r := resumption{id: "sm-1"}
		for range tt.count {
			r.keep(make([]byte, tt.size))
		}
		if (r.id != "") != tt.want || !tt.want && r.unacked != nil {
			t.Errorf("%s: id %q, %d stanzas kept, want it resumable: %v", tt.name, r.id, len(r.unacked), tt.want)
		}
	}
}

func TestSurvives(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("read: %w: EOF", errConnection), true}, {errSilent, true}, {errClosed, false}, {errBadAck, false}, {errOverrun, false}, {journal.Err, false},
		{&login.StreamError{Condition: "connection-timeout"}, true}, {&login.StreamError{Condition: "conflict"}, false}, {&login.StreamError{Condition: "policy-violation"}, false},
	} {
		if got := survives(tt.err); got != tt.want {
			t.Errorf("survives(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}
