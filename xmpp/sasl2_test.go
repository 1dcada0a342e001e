package xmpp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
)

const (
	authenticatePC1 = "AHBjLTEAczNjcmV0LTE="
	client          = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>a</software><device>b</device></user-agent>"
	bind2           = "<bind xmlns='urn:xmpp:bind:0'>" + enable + "</bind>"
	wantToken       = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
)

// request2 logs in by PLAIN in the profile of XEP-0388.
func request2(initial, inline string) string {
	return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" + initial + "</initial-response>" + inline + "</authenticate>"
}

// fastRequest logs in as pc-1 by a token.
func fastRequest(token, inline string) string {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("Initiator"))
	return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='HT-SHA-256-NONE'><initial-response>" +
		base64.StdEncoding.EncodeToString(append([]byte("pc-1\x00"), m.Sum(nil)...)) + "</initial-response>" + client + "<fast xmlns='urn:xmpp:fast:0'/>" + inline + "</authenticate>"
}

// part returns what the only group of the pattern matches.
func part(t testing.TB, pattern, text string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("nothing like %s in %s", pattern, text)
	}
	return found[1]
}

// fastSession logs in with the secret and returns the stream, its session's id and a token.
func (b *bench) fastSession(t testing.TB) (k *talk, id, token string) {
	t.Helper()
	k = b.connect(t)
	k.feed(header + request2(authenticatePC1, client+bind2+wantToken) + "<presence/>")
	said := k.wire.take()
	return k, part(t, `<enabled xmlns='urn:xmpp:sm:3' id='([^']+)'`, said), part(t, ` token='([^']+)'`, said)
}

func TestFastLoginResumesInOneRoundTrip(t *testing.T) {
	b := newBench(t)
	old, id, token := b.fastSession(t)
	old.lose()
	k := b.connect(t)
	k.feed(header + fastRequest(token, "<resume xmlns='urn:xmpp:sm:3' previd='"+id+"' h='0'/>"+bind2))
	said := k.wire.take()
	if !strings.HasSuffix(said, "<resumed xmlns='urn:xmpp:sm:3' previd='"+id+"' h='1'/></success>") {
		t.Errorf("answer: %s, want the session resumed and no features", said)
	}
	if got := b.changes.String(); got != "bound available suspended:connection_lost resumed" {
		t.Errorf("changes: %s", got)
	}
	if err := b.deliver(t, "<message id='m'/>"); err != nil || !strings.Contains(k.wire.take(), "<message id='m'/>") {
		t.Errorf("delivery on the resumed session: %v", err)
	}
}

// Attack row 47: who logged in by a token is sent away as everybody else, and what he left cannot be resumed.
func TestAttack47SessionsOfTokensEnd(t *testing.T) {
	pc1 := endpoint.Key{Domain: testDomain, ID: "pc-1"}
	for name, prepare := range map[string]func(*bench, *talk, string){
		"live":     func(*bench, *talk, string) {},
		"detached": func(_ *bench, k *talk, _ string) { k.lose() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first, _, token := b.fastSession(t)
			k := b.connect(t)
			k.feed(header + fastRequest(token, bind2) + "<presence/>")
			id := part(t, `<enabled xmlns='urn:xmpp:sm:3' id='([^']+)'`, k.wire.take())
			if !first.wire.ended() {
				t.Error("the older session goes on")
			}
			prepare(b, k, id)
			b.deps.Registry.Disconnect(pc1, endpoint.ReasonDisabled)
			if got := k.wire.take(); name == "live" && !strings.Contains(got, "<not-authorized ") {
				t.Errorf("last words: %s, want not-authorized", got)
			}
			again := b.connect(t)
			again.feed(header + fastRequest(token, "<resume xmlns='urn:xmpp:sm:3' previd='"+id+"' h='0'/>"))
			if got := again.wire.take(); !strings.Contains(got, "<item-not-found ") {
				t.Errorf("resumption: %s, want item-not-found", got)
			}
		})
	}
}

// TestSecretChangedDuringInlineBind: the login was right when it was checked, and nothing is bound or handed out for it.
func TestSecretChangedDuringInlineBind(t *testing.T) {
	for name, inline := range map[string]string{"bind": bind2 + wantToken, "resume": ""} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if name == "resume" {
				k, id, _ := b.fastSession(t)
				k.lose()
				inline = "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>"
			}
			changed, err := endpoint.NewSecret("another-secret")
			if err != nil {
				t.Fatal(err)
			}
			b.deps.Logins = accounts{changed} // after the mechanism has read the old one
			k := b.connect(t)
			k.feed(header + request2(authenticatePC1, client+inline))
			if got := k.wire.take(); !strings.Contains(got, "<reset ") || strings.Contains(got, "<success") {
				t.Errorf("answer: %s, want reset and no success", got)
			}
		})
	}
}

// interrupted sends the endpoint away while its login looks whether it may be here.
type interrupted struct {
	accounts
	registry *endpoint.Registry
	heeds    bool // the end of the context
}

func (i interrupted) EndpointSecret(ctx context.Context, k endpoint.Key) (endpoint.Secret, bool, error) {
	i.registry.Disconnect(k, endpoint.ReasonDisconnected)
	if i.heeds && ctx.Err() != nil {
		return endpoint.Secret{}, false, ctx.Err()
	}
	return i.accounts.EndpointSecret(ctx, k)
}

// TestSessionEndedDuringInlineBind: what has ended is not kept to be resumed, and is nobody's fault.
func TestSessionEndedDuringInlineBind(t *testing.T) {
	for name, heeds := range map[string]bool{"the store answers": false, "the store gives up": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			core, logs := observer.New(zap.ErrorLevel)
			b.log = zap.New(core)
			b.deps.Logins = interrupted{accounts{testSecret()}, b.deps.Registry, heeds}
			k := b.connect(t)
			k.feed(header + request2(authenticatePC1, client+bind2))
			if got := k.wire.take(); strings.Contains(got, "<success") || !k.wire.ended() {
				t.Errorf("answer: %s, want the end and no success", got)
			}
			if left := b.deps.Resumptions.All(); len(left) != 0 {
				t.Errorf("%d ended sessions can be resumed", len(left))
			}
			if logs.Len() != 0 {
				t.Errorf("logged %v", logs.All())
			}
		})
	}
}

// TestInlineCountTooHigh: more acknowledged than sent ends the stream as it does after login.
func TestInlineCountTooHigh(t *testing.T) {
	for h, want := range map[string]string{"7": "<handled-count-too-high ", "x": "<undefined-condition "} {
		b := newBench(t)
		k, id, _ := b.fastSession(t)
		k.lose()
		again := b.connect(t)
		again.feed(header + request2(authenticatePC1, "<resume xmlns='urn:xmpp:sm:3' previd='"+id+"' h='"+h+"'/>"))
		if got := again.wire.take(); !strings.Contains(got, want) || strings.Contains(got, "<success") {
			t.Errorf("h=%s: %s, want %s", h, got, want)
		}
	}
}

// TestForeignSessionIsNotResumed: attack row 9, by the login itself.
func TestForeignSessionIsNotResumed(t *testing.T) {
	b := newBench(t)
	_, id, _ := b.fastSession(t)
	k := b.connect(t)
	k.feed(header + request2("AHBjLTIAczNjcmV0LTE=", "<resume xmlns='urn:xmpp:sm:3' previd='"+id+"' h='0'/>"+bind2))
	said := k.wire.take()
	if !strings.Contains(said, "<item-not-found ") || !strings.Contains(said, "<authorization-identifier>pc-2@"+testDomain+"/") {
		t.Errorf("answer: %s, want item-not-found and a session of its own", said)
	}
}

func TestResourceOfTag(t *testing.T) {
	b := newBench(t)
	bound := func(tag, client string) string {
		t.Helper()
		k := b.connect(t)
		k.feed(header + request2(authenticatePC1, client+"<bind xmlns='urn:xmpp:bind:0'><tag>"+tag+"</tag></bind>"))
		return part(t, `<authorization-identifier>pc-1@[^/]*/(.*)</authorization-identifier>`, k.wire.take())
	}
	name := bound("", client)
	if len(name) != 16 || strings.Contains(name, "d4565fa7") {
		t.Fatalf("resource = %q, want a name that does not tell the client's id", name)
	}
	other := strings.Replace(client, "d4565fa7", "d4565fa8", 1)
	if got := bound("", other); got == name || len(got) != 16 {
		t.Errorf("resource of another client = %q", got)
	}
	if a, b := bound("", ""), bound("", ""); a == b || len(a) != 22 {
		t.Errorf("resources without an id = %q and %q, want two", a, b)
	}
	for tag, want := range map[string]string{
		"Agent": "Agent/" + name, "a/b": "a/b/" + name, "&lt;&amp;é": "&lt;&amp;é/" + name,
		"attack row 52: \x1b[31m":          "", // no XML at all
		"a&#10;b":                          name,
		strings.Repeat("x", maxTagBytes):   strings.Repeat("x", maxTagBytes) + "/" + name,
		strings.Repeat("x", maxTagBytes+1): name,
	} {
		if want == "" {
			k := b.connect(t)
			k.feed(header + request2(authenticatePC1, client+"<bind xmlns='urn:xmpp:bind:0'><tag>"+tag+"</tag></bind>"))
			if got := k.wire.take(); !strings.Contains(got, "<not-well-formed ") {
				t.Errorf("tag %q: %s, want not-well-formed", tag, got)
			}
			continue
		}
		if got := bound(tag, client); got != want {
			t.Errorf("tag %q: resource = %q, want %q", tag, got, want)
		}
	}
}

func TestReadClient(t *testing.T) {
	const good = "d4565fa7-4d72-4749-b3d3-740edbf87770"
	for id, want := range map[string]string{
		good: good, strings.ToUpper(good): good, "": "?", "x": "?", good[1:]: "?", good + "0": "?", strings.Replace(good, "-", "0", 1): "?",
		strings.Replace(good, "d", "x", 1): "?", strings.Replace(good, "d", "g", 1): "?", strings.Replace(good, "d", "M", 1): "?", strings.Replace(good, "d", "&#9;", 1): "?",
	} {
		b := newBench(t)
		b.cfg.FailureDelay = 0
		k := b.connect(t)
		k.feed(header + request2(authenticatePC1, "<user-agent id='"+id+"'/>"+wantToken))
		said := k.wire.take()
		if refused := strings.Contains(said, "<malformed-request "); refused != (want == "?") {
			t.Errorf("id %q: %s", id, said)
		}
		if _, ok := b.tokens.kept["pc-1 "+want]; ok != (want != "?") {
			t.Errorf("id %q: tokens %v", id, b.tokens.kept)
		}
	}
}

// TestStoreThatFailsCostsTheTokenAlone: who knows the secret gets in.
func TestStoreThatFailsCostsTheTokenAlone(t *testing.T) {
	b := newBench(t)
	b.tokens.err = errors.New("disk is gone")
	k := b.connect(t)
	k.feed(header + request2(authenticatePC1, client+bind2+wantToken))
	if got := k.wire.take(); !strings.Contains(got, "<bound ") || strings.Contains(got, "<token") {
		t.Errorf("answer: %s, want a session and no token", got)
	}
}

// TestNoFastLoginsWhereTheyAreOff: a lifetime of 0 announces nothing, hands out nothing, takes nothing.
func TestNoFastLoginsWhereTheyAreOff(t *testing.T) {
	b := newBench(t)
	b.cfg.FailureDelay = 0
	_, _, token := b.fastSession(t)
	b.deps.SASL.OfferTokens(nil, 0)
	k := b.connect(t)
	k.feed(header + fastRequest(token, bind2) + request2(authenticatePC1, client+bind2+wantToken))
	said := k.wire.take()
	if strings.Contains(said, nsFast) || !strings.Contains(said, "<invalid-mechanism ") || !strings.Contains(said, "<bound ") {
		t.Errorf("answer: %s, want invalid-mechanism and then a session without a token", said)
	}
}

// TestFullAccountIsToldWhenItBinds: where an account has as many sessions as it may, the login succeeds without one.
func TestFullAccountIsToldWhenItBinds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Routing, c.MaxResources = RoutingOpen, 2 })
	k := b.connect(t)
	k.feed(header + request2(authenticatePC1, client+"<bind xmlns='urn:xmpp:bind:0'><tag>a</tag></bind>"))
	k = b.connect(t)
	k.feed(header + request2(authenticatePC1, "<bind xmlns='urn:xmpp:bind:0'><tag>b</tag></bind>"))
	k = b.connect(t)
	k.feed(header + request2(authenticatePC1, "<bind xmlns='urn:xmpp:bind:0'><tag>c</tag></bind>") + bindAgent)
	said := k.wire.take()
	if strings.Contains(said, "<bound ") || !strings.Contains(said, "<authorization-identifier>pc-1@"+testDomain+"</authorization-identifier>") ||
		!strings.Contains(said, "<resource-constraint ") {
		t.Errorf("answer: %s, want a login without a session and resource-constraint at bind", said)
	}
}

// TestSessionsBeginAsAskedFor, where there is something to spare or to copy.
func TestSessionsBeginAsAskedFor(t *testing.T) {
	const asks = "<bind xmlns='urn:xmpp:bind:0'><inactive xmlns='urn:xmpp:csi:0'/><enable xmlns='urn:xmpp:carbons:2'/></bind>"
	for routing, want := range map[string]bool{RoutingOpen: true, RoutingManaged: false} {
		b := newBench(t, func(c *Config) { c.Routing = routing })
		k := b.connect(t)
		k.feed(header + request2(authenticatePC1, asks))
		if said := k.wire.take(); strings.Contains(said, "<feature var='urn:xmpp:carbons:2'/>") != want || !strings.Contains(said, "<feature var='urn:xmpp:csi:0'/>") {
			t.Errorf("%s: features %s", routing, said)
		}
		state := k.session.Load().State()
		if got := state.Has(feature.Inactive); got != want {
			t.Errorf("%s: inactive: %v, want %v", routing, got, want)
		}
		if got := state.Has(feature.Carbons); got != want {
			t.Errorf("%s: carbons: %v, want %v", routing, got, want)
		}
	}
}
