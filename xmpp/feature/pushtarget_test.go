package feature

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
	"signalbox/internal/store"
)

// newAccounts returns what the accounts of these clients hold, on a real store.
func newAccounts(t *testing.T, clients ...*fakeClient) *account.Service {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), store.FileName), store.Default(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range clients {
		if err := s.CreateEndpoint(t.Context(), endpoint.Endpoint{Key: c.key, Enabled: true}, endpoint.Secret{}); err != nil {
			t.Fatal(err)
		}
	}
	accounts, err := account.New(account.Default(), s.Accounts())
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

// pushWorld is the feature with an account, whose clients are two, and a service.
type pushWorld struct {
	t       *testing.T
	phone   *fakeClient
	desk    *fakeClient
	service *fakeClient
	host    *fakeHost
	set     *Set
}

func newPushWorld(t *testing.T) *pushWorld {
	w := &pushWorld{t: t, phone: newFake("pc-1"), desk: newFake("pc-1"), service: newFake("service")}
	w.host = &fakeHost{clients: []Client{w.phone, w.desk, w.service}}
	w.service.state.SetPresence(Presence{Available: true})
	w.set = NewSet(nil, PushNotifications(newAccounts(t, w.phone, w.service), w.host, zap.NewNop()))
	return w
}

func (w *pushWorld) ask(payload string) stanza.Condition {
	w.t.Helper()
	el := parsed(w.t, "<iq>"+payload+"</iq>")
	q := &Query{Set: true, Stanza: el, From: w.phone, To: Own, Account: w.phone.key}
	for c := range el.Element().Children() {
		q.Payload = c
	}
	return w.set.Answer(w.t.Context(), q).Condition
}

// message makes a message to the account.
func (w *pushWorld) message(inner string) *Message {
	el := parsed(w.t, "<message>"+inner+"</message>")
	m := &Message{From: "pc-2@x.test/r", To: w.phone.key, Type: "chat", Stanza: el, Recipients: []Client{w.phone, w.desk}}
	for c := range el.Element().Children() {
		m.Content.Read(c)
	}
	return m
}

const body = "<body>secret words</body>"

func TestPushServices(t *testing.T) {
	w := newPushWorld(t)
	for _, tc := range []struct {
		payload string
		want    stanza.Condition
	}{
		{"<enable xmlns='urn:xmpp:push:0' node='n'/>", stanza.BadRequest},
		{"<enable xmlns='urn:xmpp:push:0' jid='@' node='n'/>", stanza.JIDMalformed},
		{"<enable xmlns='urn:xmpp:push:0' jid='push.elsewhere.test' node='n'/>", stanza.RemoteServerNotFound},
		{"<enable xmlns='urn:xmpp:push:0' jid='x.test' node='n'/>", stanza.RemoteServerNotFound},
		{"<enable xmlns='urn:xmpp:push:0' jid='a@x.test'><x xmlns='jabber:x:data'><message xmlns='jabber:client'/></x></enable>", stanza.NotAcceptable},
		{"<enable xmlns='urn:xmpp:push:0' jid='a@x.test'><x xmlns='jabber:x:data'>" + strings.Repeat("x", account.MaxOptionsBytes) + "</x></enable>", stanza.NotAcceptable},
		{"<enable xmlns='urn:xmpp:push:0' jid='service@x.test' node='a'/>", ""},
		{"<enable xmlns='urn:xmpp:push:0' jid='service@x.test' node='b'/>", ""},
		{"<enable xmlns='urn:xmpp:push:0' jid='push.x.test'/>", ""},
		{"<disable xmlns='urn:xmpp:push:0' jid='service@x.test' node='b'/>", ""},
		{"<disable xmlns='urn:xmpp:push:0'/>", stanza.BadRequest},
	} {
		if got := w.ask(tc.payload); got != tc.want {
			t.Errorf("%s = %q, want %q", tc.payload, got, tc.want)
		}
	}
	w.set.add(Feature{Stored: func(context.Context, *Message) bool { return true }})
	w.set.Stored(t.Context(), w.message(body))
	if got := strings.Join(w.service.take(), ""); strings.Count(got, "<publish node=") != 1 || !strings.Contains(got, "node='a'") || strings.Contains(got, "secret") {
		t.Errorf("the service is told %s", got)
	}
	if got := strings.Join(w.host.routed, ""); !strings.HasPrefix(got, "push.x.test <iq type='set'") || strings.Contains(got, "node=") {
		t.Errorf("the component is told %s", got)
	}
	if got := w.ask("<disable xmlns='urn:xmpp:push:0' jid='service@x.test'/>"); got != "" {
		t.Errorf("disable = %s", got)
	}
	if w.set.Stored(t.Context(), w.message(body)); len(w.service.take()) != 0 {
		t.Error("a service that is disabled is told")
	}
}

// TestWhoIsPushed: a service is told of what the client that named it does not look at.
func TestWhoIsPushed(t *testing.T) {
	for _, tc := range []struct {
		name    string
		inner   string
		flag    Flag // of the phone, which named the service
		desk    bool // gets the message, and looks at it
		phone   bool // gets it
		service int
	}{
		{"the phone looks", body, Roster, false, true, 0},
		{"inactive", body, Inactive, false, true, 1},
		{"nothing to read", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", Inactive, false, true, 0},
		{"to be kept", "<x xmlns='urn:encrypted'/><store xmlns='urn:xmpp:hints'/>", Inactive, false, true, 1},
		{"not to be kept", body + "<no-store xmlns='urn:xmpp:hints'/>", Inactive, false, true, 0},
		{"inactive, seen at the desk", body, Inactive, true, true, 1},
		{"detached, seen at the desk", body, Detached, true, false, 1},
		{"looking, sent to the desk alone", body, Roster, true, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newPushWorld(t)
			w.ask("<enable xmlns='urn:xmpp:push:0' jid='service@x.test'/>")
			w.phone.state.Set(tc.flag, true)
			var to []Client
			if tc.phone {
				to = append(to, w.phone)
			}
			if tc.desk {
				to = append(to, w.desk)
			}
			w.set.Delivered(t.Context(), w.message(tc.inner), to)
			if got := w.service.take(); len(got) != tc.service {
				t.Errorf("the service is told %s, want %d", got, tc.service)
			}
		})
	}
}

// TestPushServiceForgets: what a service does not know any more it is not told again, unless it is only busy.
func TestPushServiceForgets(t *testing.T) {
	w := newPushWorld(t)
	w.ask("<enable xmlns='urn:xmpp:push:0' jid='service@x.test/r' node='n'/>")
	w.phone.state.Set(Inactive, true)
	for _, answer := range []string{"result", "wait", "cancel"} {
		w.set.Delivered(t.Context(), w.message(body), []Client{w.phone})
		sent := w.service.take()
		if len(sent) != 1 {
			t.Fatalf("before %s the service is told %s", answer, sent)
		}
		id := string(parsed(t, sent[0]).ID())
		reply := "<iq type='error' id='" + id + "'><error type='" + answer + "'/></iq>"
		if answer == "result" {
			reply = "<iq type='result' id='" + id + "'/>"
		}
		w.service.state.Answered(t.Context(), "pc-1@x.test", parsed(t, reply))
	}
	w.set.Delivered(t.Context(), w.message(body), []Client{w.phone})
	if got := w.service.take(); len(got) != 0 {
		t.Errorf("a service that forgot is told %s", got)
	}
}
