package xmpp

import (
	"context"
	"strings"
	"testing"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/sasl"
)

func openBench(t testing.TB) *bench {
	t.Helper()
	return newBench(t, func(c *Config) { c.Routing = RoutingOpen })
}

// checking is told when an account is looked at. It implements sasl.Accounts.
type checking struct {
	sasl.Accounts
	looked func()
}

func (c checking) EndpointSecret(ctx context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	c.looked()
	return c.Accounts.EndpointSecret(ctx, k)
}

// TestNothingBeforeTheWordOfTheBind: a client gets stanzas once it knows that it is bound, and counts them from when it knows that they are counted.
func TestNothingBeforeTheWordOfTheBind(t *testing.T) {
	for _, tc := range []struct{ name, login, first string }{
		{"bind", login1, "<iq type='result' id='b'"},
		{"inline", header + request2(authenticatePC1, client+bind2), "<success "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := openBench(t)
			kept, sent := false, false
			b.deps.Logins = checking{b.deps.Logins, func() {
				for _, c := range Clients(b.deps.Registry)(keyPC1) {
					kept = c.Send([]byte("<iq id='early'/>"))
					sent = c.SendMessage([]byte("<message id='elsewhere'/>"), feature.NewCopies(1)) || sent
				}
			}}
			k := b.connect(t)
			k.feed(tc.login)
			said := k.wire.take()
			first := strings.Index(said, tc.first)
			if early := strings.Index(said, "early"); first < 0 || !kept || early < first {
				t.Errorf("kept: %v; said %s", kept, said)
			}
			if sent || strings.Contains(said, "elsewhere") {
				t.Errorf("a message was taken: %v; said %s", sent, said)
			}
			c := Clients(b.deps.Registry)(keyPC1)[0]
			if !c.Send([]byte("<message id='late'/>")) || !strings.Contains(k.wire.take(), "<message id='late'/>") {
				t.Error("nothing is sent when it is bound")
			}
		})
	}
}

// TestWhatWaitsForAResumption: a client that lost its connection is not behind when it resumes: it gets what it was sent meanwhile, and of presence the newest.
func TestWhatWaitsForAResumption(t *testing.T) {
	b := openBench(t)
	k, id := b.resumable(t)
	said := k.wire.take()
	k.feed("<a xmlns='urn:xmpp:sm:3' h='1'/>")
	c := Clients(b.deps.Registry)(keyPC1)[0]
	k.lose()
	c.SendPresence("a", []byte("<presence id='1'/>"))
	c.SendPresence("b", []byte("<presence id='2'/>"))
	c.SendPresence("a", []byte("<presence id='3'/>"))
	if !c.Send([]byte("<iq id='push'/>")) {
		t.Error("a push is not taken")
	}
	if !c.State().Has(feature.Detached) {
		t.Error("requests are taken that nobody answers")
	}
	if c.SendMessage([]byte("<message/>"), feature.NewCopies(1)) {
		t.Error("a message that can be kept waits in memory")
	}
	again := b.connect(t)
	again.feed(header + authPC1 + header + resumeOf(id, 1))
	_, got, _ := strings.Cut(again.wire.take(), "<resumed")
	_, got, _ = strings.Cut(got, "/>")
	if got = strings.ReplaceAll(got, ask, ""); got != "<iq id='push'/><presence id='2'/><presence id='3'/>" {
		t.Errorf("after the resumption: %s (before: %s)", got, said)
	}
}

// TestWhatWaitsForAResumptionIsBounded: in bytes, as what waits for an acknowledgement.
func TestWhatWaitsForAResumptionIsBounded(t *testing.T) {
	b := openBench(t)
	k, _ := b.resumable(t)
	c := Clients(b.deps.Registry)(keyPC1)[0]
	k.lose()
	n := 0
	for stanza := make([]byte, b.cfg.QueueBytes/4); n < 10 && c.Send(stanza); n++ {
	}
	if n > 4 {
		t.Errorf("%d stanzas wait, each a quarter of the bound", n)
	}
	b.deps.Registry.Disconnect(keyPC1, endpoint.ReasonDisconnected)
	if c.Send([]byte("<iq/>")) {
		t.Error("a session that has ended takes a stanza")
	}
}

// TestOneCopyReturns: a message that several clients of an account got comes back from none of them while one may have read it.
func TestOneCopyReturns(t *testing.T) {
	for _, tc := range []struct {
		name    string
		acks    bool // the other client acknowledges it
		lost    bool // the other client is lost as well
		returns int
	}{{"the other is there", false, false, 0}, {"the other has read it and is gone", true, true, 0}, {"both are lost", false, true, 1}} {
		t.Run(tc.name, func(t *testing.T) {
			b := openBench(t)
			one, _ := b.resumable(t)
			two := b.connect(t)
			two.feed(strings.Replace(login1, "agent", "other", 1) + enable + "<presence/>")
			copies := feature.NewCopies(2)
			for _, c := range Clients(b.deps.Registry)(keyPC1) {
				c.SendMessage([]byte("<message id='m'/>"), copies)
			}
			returned := 0
			end := func(k *talk) {
				ended, _ := k.session.Load().close(endpoint.ReasonResumeExpired)
				returned += len(ended.lost)
			}
			if tc.acks {
				s := two.session.Load()
				s.mu.Lock()
				n := len(s.sm.unacked)
				s.mu.Unlock()
				two.feed("<a xmlns='urn:xmpp:sm:3' h='" + count(uint32(n)) + "'/>")
			}
			if tc.lost {
				end(two)
			}
			end(one)
			if returned != tc.returns {
				t.Errorf("%d return, want %d", returned, tc.returns)
			}
		})
	}
}
