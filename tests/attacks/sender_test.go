package attacks

import (
	"strings"
	"testing"

	"signalbox/tests/harness"
)

// kinds are stanzas that carry an order; FROM stands for an attribute, TO for the address.
var kinds = map[string]string{
	"message":      "<message FROM to='TO' id='x'><body>rm -rf</body></message>",
	"chat":         "<message FROM to='TO' id='x' type='chat'><body>rm -rf</body></message>",
	"headline":     "<message FROM to='TO' id='x' type='headline'><body>rm -rf</body></message>",
	"groupchat":    "<message FROM to='TO' id='x' type='groupchat'><body>rm -rf</body></message>",
	"error":        "<message FROM to='TO' id='x' type='error'><body>rm -rf</body></message>",
	"push":         "<message FROM to='TO' id='x'><push xmlns='urn:signalbox:push:1' id='psh_1' type='run.script'><json xmlns='urn:xmpp:json:0'>1</json></push></message>",
	"get":          "<iq FROM to='TO' id='x' type='get'><order xmlns='urn:order'/></iq>",
	"set":          "<iq FROM to='TO' id='x' type='set'><order xmlns='urn:order'/></iq>",
	"result":       "<iq FROM to='TO' id='x' type='result'><order xmlns='urn:order'/></iq>",
	"iq error":     "<iq FROM to='TO' id='x' type='error'/>",
	"presence":     "<presence FROM to='TO' id='x'><order xmlns='urn:order'/></presence>",
	"probe":        "<presence FROM to='TO' id='x' type='probe'/>",
	"subscribe":    "<presence FROM to='TO' id='x' type='subscribe'/>",
	"subscribed":   "<presence FROM to='TO' id='x' type='subscribed'/>",
	"unsubscribed": "<presence FROM to='TO' id='x' type='unsubscribed'/>",
	"unavailable":  "<presence FROM to='TO' id='x' type='unavailable'/>",
}

func stanza(kind, from, to string) string {
	return strings.NewReplacer("FROM", from, "TO", to).Replace(kinds[kind])
}

// TestRow06ForgedSenders: who sends in a name that is not its own, however that is written, is closed, and nobody gets anything. Routing is open, so that something
// could arrive.
func TestRow06ForgedSenders(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b"})
	b := online(t, s, "b", "w")
	for i, from := range []string{
		"b@" + domain, "b@" + domain + "/w", domain, "admin@" + domain, "a@elsewhere.test", "a@elsewhere.test/w", "a@" + domain + "/x", "a@" + domain + "/W",
		"A@" + domain + "/w", "a@" + strings.ToUpper(domain) + "/w", "a@" + domain + "./w", "a@" + domain + "/", "a", "@" + domain, "ａ@" + domain + "/w",
		"а@" + domain + "/w", "a&#x200b;@" + domain + "/w", " a@" + domain + "/w", "a@" + domain + "/w ", "a@" + domain + "/w&#x301;",
	} {
		most := 5
		if i > 3 { // the spelling has nothing to do with the kind
			most = 1
		}
		for _, kind := range []string{"message", "set", "result", "presence", "subscribe"}[:most] {
			a := bound(t, s, "a", "w")
			a.say(stanza(kind, `from="`+from+`"`, "b@"+domain+"/w") + pingText + ending)
			if got, want := a.outcome(), "stream:error invalid-from"; got != want {
				t.Errorf("%s from %q: %q, want %q", kind, from, got, want)
			}
		}
	}
	if got := b.ping(); got != "" {
		t.Errorf("the other client got %q", got)
	}
	if p := s.AwaitPresence(t, "a", "offline"); !strings.Contains(p, `"reason":"invalid_from"`) {
		t.Errorf("what operators see of it is %s", p)
	}
}

// TestRows07And08NothingBetweenEndpoints: where routing is managed an endpoint reaches no other one, nor another tenant's, with any kind of stanza, and learns nothing
// of who exists.
func TestRows07And08NothingBetweenEndpoints(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a", "b", "offline"})
	b := online(t, s, "b", "w")
	a := online(t, s, "a", "w")
	b.ping()
	for kind := range kinds {
		for _, twins := range [][]string{
			{"nobody@" + domain, "b@" + domain, "offline@" + domain},
			{"nobody@" + domain + "/w", "b@" + domain + "/w", "b@" + domain + "/x"},
			{"nobody@elsewhere.test", "b@elsewhere.test", "a@elsewhere.test/w", "elsewhere.test"},
			{"nobody@b." + domain, "b@b." + domain},
		} {
			wantAlike(t, a, kind, twins)
		}
	}
	if got := b.ping(); got != "" {
		t.Errorf("the other endpoint got %q", got)
	}
	s.AwaitPresence(t, "b", "online")
}

// wantAlike fails unless the answers for all addresses are the same but for the address, and neither wait nor pass it on.
func wantAlike(t *testing.T, a *wire, kind string, twins []string) {
	t.Helper()
	var first string
	for i, to := range twins {
		a.say(stanza(kind, "", to))
		got := strings.ReplaceAll(a.ping(), "'"+to+"'", "'TO'")
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("%s: the answers for %s and %s differ:\n%s\n%s", kind, twins[0], to, first, got)
		}
		if short := reduce(got); short != "" && !strings.Contains(short, "error cancel") {
			t.Errorf("%s to %s: %q", kind, to, short)
		}
	}
}

// TestRow09ForeignSessions: the id of a session is worth nothing without its owner's login, and whether it exists is not to be seen.
func TestRow09ForeignSessions(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a", "b"})
	alive := bound(t, s, "a", "r")
	id := smID(t, alive.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "resume='true'"))
	resume := func(id string) string {
		b := authenticated(t, s, "b")
		b.say("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>" + ending)
		text, _ := b.rest()
		return text
	}
	unknown := resume("AAAAAAAAAAAAAAAAAAAAAA")
	if got, want := reduce(unknown), "failed item-not-found"; got != want {
		t.Errorf("unknown session: %q, want %q", got, want)
	}
	if got := resume(id); got != unknown {
		t.Errorf("a session at work: %q, an unknown one: %q", got, unknown)
	}
	alive.ping()
	_ = alive.conn.Close()
	s.AwaitPresence(t, "a", "offline")
	if got := resume(id); got != unknown {
		t.Errorf("a lost session: %q, an unknown one: %q", got, unknown)
	}
	again := authenticated(t, s, "a") // the owner still can
	again.ask("<resume xmlns='urn:xmpp:sm:3' previd='"+id+"' h='0'/>", "<resumed ")
}

// TestRow18NothingTellsWhoExists: requests and probes of strangers get the same answer whether the account has a client, has none, or does not exist.
func TestRow18NothingTellsWhoExists(t *testing.T) {
	t.Parallel()
	questions := map[string]string{
		"ping": "<ping xmlns='urn:xmpp:ping'/>", "info": "<query xmlns='http://jabber.org/protocol/disco#info'/>", "items": "<query xmlns='http://jabber.org/protocol/disco#items'/>",
		"info of a node": "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", "items of a node": "<query xmlns='http://jabber.org/protocol/disco#items' node='x'/>",
		"commands": "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
		"last":     "<query xmlns='jabber:iq:last'/>", "version": "<query xmlns='jabber:iq:version'/>", "time": "<time xmlns='urn:xmpp:time'/>", "vcard": "<vCard xmlns='vcard-temp'/>",
		"roster": "<query xmlns='jabber:iq:roster'/>", "archive": "<query xmlns='urn:xmpp:mam:2'/>", "blocklist": "<blocklist xmlns='urn:xmpp:blocking'/>",
		"private": "<query xmlns='jabber:iq:private'><x xmlns='urn:x'/></query>", "pubsub": "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='x'/></pubsub>",
		"register": "<query xmlns='jabber:iq:register'/>", "unknown": "<query xmlns='urn:unknown'/>",
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, mode, []string{"a", "b", "offline"})
			b := online(t, s, "b", "w")
			a := online(t, s, "a", "w")
			compare := func(what, question string, twins ...string) {
				t.Helper()
				var first string
				for i, to := range twins {
					a.say(strings.ReplaceAll(question, "TO", to))
					got := strings.ReplaceAll(a.ping(), to, "TO")
					if i == 0 {
						first = got
					}
					if got != first {
						t.Errorf("%s: the answers for %s and %s differ:\n%s\n%s", what, twins[0], to, first, got)
					}
				}
			}
			for what, question := range questions {
				for _, typ := range []string{"get", "set"} {
					iq := "<iq type='" + typ + "' id='x' to='TO'>" + question + "</iq>"
					compare(what+" by "+typ, iq, "nobody@"+domain, "b@"+domain, "offline@"+domain)
					compare(what+" by "+typ, iq, "nobody@"+domain+"/x", "b@"+domain+"/x", "offline@"+domain+"/x")
				}
			}
			compare("probe", "<presence type='probe' to='TO'/>", "nobody@"+domain, "b@"+domain, "offline@"+domain)
			compare("presence", "<presence to='TO'/>", "nobody@"+domain, "offline@"+domain)
			if got := b.ping(); got != "" {
				t.Errorf("the other client got %q", got)
			}
		})
	}
}

// TestRow44ManyResources: an account's sessions are bounded. A managed endpoint has one; where routing is open one too many is refused, and hurts none of the others.
func TestRow44ManyResources(t *testing.T) {
	t.Parallel()
	t.Run("managed", func(t *testing.T) {
		t.Parallel()
		s := start(t, "managed", []string{"a"})
		var last *wire
		for i := range 12 {
			w := bound(t, s, "a", "r"+string(rune('A'+i)))
			if last != nil {
				// After some of them the older one is asked whether it is there; it is silent, so it is replaced all the same.
				if got, want := strings.TrimPrefix(last.outcome(), "iq get; "), "stream:error conflict"; got != want {
					t.Fatalf("the older session got %q, want %q", got, want)
				}
			}
			last = w
		}
		last.ping()
	})
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		s := start(t, "open", []string{"a"})
		var all []*wire
		for i := range s.Config.XMPP.MaxResources {
			all = append(all, bound(t, s, "a", "r"+string(rune('A'+i))))
		}
		for range 5 {
			w := authenticated(t, s, "a")
			w.say(bind("more") + ending)
			if got, want := w.outcome(), "iq error wait resource-constraint"; got != want {
				t.Fatalf("one session too many got %q, want %q", got, want)
			}
		}
		for _, w := range all {
			w.ping()
		}
		all[0].say(ending)
		all[0].outcome()
		awaitBind(t, s, "a", "more") // there is room again
	})
}

// awaitBind binds as soon as the server has noticed that another session of the account has ended.
func awaitBind(t *testing.T, s *harness.Server, id, resource string) {
	t.Helper()
	harness.Await(t, func() bool {
		w := authenticated(t, s, id)
		return reduce(w.ask(bind(resource), "</iq>")) == "iq result"
	}, func() string { return "no room for another session" })
}

// TestRow45Clones: machines that share an identity, of which none answers when it is asked whether it is there, throw each other out, and that is all: each login is
// answered, and the endpoint stays one session that is online.
func TestRow45Clones(t *testing.T) {
	t.Parallel()
	s := start(t, "managed", []string{"a"})
	var last *wire
	for range 10 {
		w := bound(t, s, "a", "r")
		w.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "resume='true'")
		if last != nil {
			if got, want := last.outcome(), "stream:error conflict"; got != want {
				t.Fatalf("the older machine got %q, want %q", got, want)
			}
		}
		last = w
	}
	s.AwaitPresence(t, "a", "online")
	last.ping()
}
