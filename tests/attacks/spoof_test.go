package attacks

import (
	"regexp"
	"strings"
	"testing"
)

// TestRow31ServersOwnRequests: what a client does because its server says so does not come from another client, in whatever notation.
func TestRow31ServersOwnRequests(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, mode, []string{"a", "b"})
			b := online(t, s, "b", "w")
			a := online(t, s, "a", "w")
			for _, payload := range []string{
				contact, "<r:query xmlns:r='jabber:iq:roster'><r:item jid='evil@x.test'/></r:query>", "<query xmlns='jabber:iq:r&#111;ster'><item jid='evil@x.test'/></query>",
				"<block xmlns='urn:xmpp:blocking'><item jid='evil@x.test'/></block>", "<unblock xmlns='urn:xmpp:blocking'/>",
				"<enable xmlns='urn:xmpp:push:0' jid='evil.test'/>", "<disable xmlns='urn:xmpp:push:0' jid='evil.test'/>",
				"<query xmlns='urn:xmpp:mam:2'/>", "<prefs xmlns='urn:xmpp:mam:2' default='never'/>",
			} {
				a.say("<iq type='set' id='x' to='b@" + domain + "/w'>" + payload + "</iq>")
				if got, want := reduce(a.ping()), "iq error cancel service-unavailable"; got != want {
					t.Errorf("%s: %q, want %q", payload, got, want)
				}
			}
			a.say("<message to='b@" + domain + "/w'>" + contact + "</message>") // no request, whatever is in it
			a.ping()
			if got := b.ping(); got != "" && (mode == "managed" || reduce(got) != "message") {
				t.Errorf("the other client got %q", got)
			}
		})
	}
}

// TestRow32GuessedAnswers: an answer to a request that the server or another client may have made changes nothing at the server, and arrives, if at all, in the name of
// who sent it.
func TestRow32GuessedAnswers(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, mode, []string{"a", "b"})
			b := online(t, s, "b", "w")
			a := online(t, s, "a", "w")
			answers := 0
			for _, id := range []string{"1", "q", "r", "ping-1", "bind", ""} {
				for _, typ := range []string{"result", "error"} {
					for _, to := range []string{"", domain, "a@" + domain, "b@" + domain, "b@" + domain + "/w", "nobody@" + domain, "nobody@" + domain + "/x", "b@elsewhere.test", "@@"} {
						a.say("<iq type='" + typ + "' id='" + id + "' to='" + to + "'><query xmlns='jabber:iq:roster'><item jid='evil@x.test'/></query></iq>")
					}
					answers++
				}
			}
			if got := a.ping(); got != "" {
				t.Errorf("the answers were answered: %s", got)
			}
			got := b.ping()
			if mode == "managed" {
				answers = 0
			}
			if n := strings.Count(got, "<iq "); n != answers || strings.Count(got, "from='a@"+domain+"/w'") != n {
				t.Errorf("%d answers arrived, want %d, in the sender's name: %s", n, answers, got)
			}
		})
	}
}

// TestRow32ServersIDs: the ids of the server's own requests cannot be guessed.
func TestRow32ServersIDs(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a"})
	a := online(t, s, "a", "w")
	a.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>", "</query></iq>")
	id := regexp.MustCompile(`<iq type='set' id='([^']*)'`)
	seen := map[string]bool{}
	for range 10 {
		a.say("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='b@" + domain + "'/></query></iq>")
		found := id.FindStringSubmatch(a.ping())
		if found == nil || len(found[1]) < 22 || seen[found[1]] {
			t.Fatalf("the id of a roster push is %q, after %v", found, seen)
		}
		seen[found[1]] = true
	}
}

// TestRows33And34ServersWords: what only the server may say of a message is taken out of what clients send, every time that it is there, and what only looks like it
// stays. MARK is in what must go, STAY in what must not.
func TestRows33And34ServersWords(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b", "offline"})
	b := online(t, s, "b", "w")
	a := online(t, s, "a", "w")
	const delay = "<delay xmlns='urn:xmpp:delay' stamp='2001-01-01T00:00:00Z' "
	for _, tc := range []struct{ name, payload string }{
		{"delay of the server", delay + "from='" + domain + "'>MARK</delay>"},
		{"delay of the receiver", delay + "from='b@" + domain + "'>MARK</delay>"},
		{"delay of a client", delay + "from='b@" + domain + "/w'>MARK</delay>"},
		{"delay of the server in capitals", delay + "from='" + strings.ToUpper(domain) + "'>MARK</delay>"},
		{"delay of the server with a dot", delay + "from='" + domain + ".'>MARK</delay>"},
		{"delay of the server's resource", delay + "from='" + domain + "/x'>MARK</delay>"},
		{"delay in another notation", "<d:delay xmlns:d='urn:xmpp:d&#101;lay' from='&#120;" + domain[1:] + "'>MARK</d:delay>"},
		{"two delays", delay + "from='" + domain + "'>MARK</delay>" + delay + "from='b@" + domain + "'>MARK</delay>"},
		{"stanza ids of the receiver", "<stanza-id xmlns='urn:xmpp:sid:0' by='b@" + domain + "' id='MARK'/><s:stanza-id xmlns:s='urn:xmpp:sid:0' by='B@" + domain + "' id='MARK'/>"},
		{"stanza id of the server", "<stanza-id xmlns='urn:xmpp:sid:0' by='" + domain + "' id='MARK'/>"},
		{"stanza id of a client", "<stanza-id xmlns='urn:xmpp:sid:0' by='b@" + domain + "/w' id='MARK'/>"},
		{"carbons", "<sent xmlns='urn:xmpp:carbons:2'>MARK</sent><c:received xmlns:c='urn:xmpp:carbons:2'>MARK</c:received>"},
		{"page of an archive", "<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'>MARK</result>"},
		{"delay of another domain", delay + "from='elsewhere.test'>STAY</delay>"},
		{"delay of nobody", delay + ">STAY</delay>"},
		{"stanza id of another domain", "<stanza-id xmlns='urn:xmpp:sid:0' by='room@elsewhere.test' id='STAY'/>"},
		{"another namespace", "<delay xmlns='urn:other' from='" + domain + "'>STAY</delay>"},
	} {
		for _, to := range []string{"b@" + domain, "b@" + domain + "/w"} {
			a.say("<message to='" + to + "' type='chat'>" + tc.payload + "<body>" + tc.payload + "</body>" + tc.payload + "</message>") // nested, it means nothing
			if got := reduce(a.ping()); got != "" {
				t.Errorf("%s: the sender got %q", tc.name, got)
			}
			got := b.ping()
			body := regexp.MustCompile(`<body>.*</body>`)
			if reduce(body.ReplaceAllString(got, "")) != "message" || strings.Contains(body.ReplaceAllString(got, ""), "MARK") {
				t.Errorf("%s: the other client got %s", tc.name, got)
			}
			if strings.Contains(tc.payload, "STAY") && strings.Count(got, "STAY") != 3 {
				t.Errorf("%s: taken out, though anybody may say it: %s", tc.name, got)
			}
		}
		a.say("<presence to='b@" + domain + "/w'>" + tc.payload + "</presence>")
		a.ping()
		if got := b.ping(); reduce(got) != "presence" || strings.Contains(got, "MARK") {
			t.Errorf("%s: the other client got %s", tc.name, got)
		}
	}
	a.say("<message to='offline@" + domain + "' type='chat'><body>x</body>" + delay + "from='" + domain + "'>MARK</delay></message>")
	a.ping()
	later := bound(t, s, "offline", "w")
	later.say("<presence/>")
	if got := later.until("</message>"); strings.Contains(got, "MARK") || strings.Count(got, "<delay ") != 1 {
		t.Errorf("a message that was kept came as %s", got)
	}
}

// TestRow35ForeignCapabilities: what clients say of their own capabilities (XEP-0115) changes nothing of what the server says of itself.
func TestRow35ForeignCapabilities(t *testing.T) {
	t.Parallel()
	s := start(t, "open", []string{"a", "b"})
	caps := regexp.MustCompile(`<c xmlns='http://jabber.org/protocol/caps'[^>]*/>`)
	features := func() string {
		w := dial(t, s, directTLS)
		w.ask(header, "</stream:features>")
		w.ask(plain("", "a", secret), "</success>")
		return caps.FindString(w.ask(header, "</stream:features>"))
	}
	before := features()
	ver := regexp.MustCompile(`ver='([^']*)'`).FindStringSubmatch(before)
	if ver == nil {
		t.Fatalf("the server's capabilities are %q", before)
	}
	b := online(t, s, "b", "w")
	ask := func() string {
		return b.ask("<iq type='get' id='i' to='"+domain+"'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>", "</query></iq>")
	}
	info := ask()
	a := online(t, s, "a", "w")
	for _, c := range []string{
		"<c xmlns='http://jabber.org/protocol/caps' node='urn:x' ver='" + ver[1] + "' hash='sha-1'/>", "<c xmlns='http://jabber.org/protocol/caps' node='urn:x' ver='1.0'/>",
		"<c xmlns='http://jabber.org/protocol/caps' node='urn:x' ver='!' hash='md5' ext='a b'/>", "<c xmlns='http://jabber.org/protocol/caps'/>",
	} {
		a.say("<presence>" + c + "</presence>")
		a.ping()
	}
	if got := features(); got != before {
		t.Errorf("the server's capabilities are %s, were %s", got, before)
	}
	if got := ask(); got != info {
		t.Errorf("the server describes itself by %s, did by %s", got, info)
	}
}
