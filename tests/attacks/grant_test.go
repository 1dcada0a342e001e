package attacks

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"signalbox/internal/agent/capability"
	"signalbox/internal/agent/remote"
	"signalbox/internal/channel"
	"signalbox/internal/identity"
	"signalbox/internal/signalling"
)

// door is a capability that nobody may open here.
type door struct{ t *testing.T }

func (door) Name() string     { return channel.Terminal }
func (door) Supported() error { return nil }

func (d door) Open(s capability.Session) capability.Instance {
	d.t.Errorf("session %s opens a terminal", s.ID)
	return d
}

func (d door) Serve(context.Context, channel.Conn) error { return errors.New("nobody may come in") }
func (d door) Close()                                    {}

// endpointOf runs the remote sessions of an endpoint as its agent does, with the server's key, and returns what it says to an offer.
func endpointOf(t *testing.T, jid string, key identity.Public) (take func(signalling.Message) signalling.Message) {
	t.Helper()
	said := make(chan signalling.Message, 16)
	m := remote.New(remote.DefaultConfig(), remote.Options{
		Open: func(text string, now time.Time) (signalling.Grant, error) {
			return signalling.Open(key, text, jid, now)
		},
		Capabilities: []capability.Capability{door{t}}, Consent: remote.Nobody{},
		Relay: func(context.Context, string) (channel.Conn, error) { return nil, errors.New("there is no relay") },
	}, zap.NewNop())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	m.Online(func(m signalling.Message) {
		select {
		case said <- m:
		case <-ctx.Done():
		}
	})
	return func(message signalling.Message) signalling.Message {
		t.Helper()
		if err := m.Take(message); err != nil {
			t.Fatal(err)
		}
		limit := time.NewTimer(patience)
		defer limit.Stop()
		for {
			select {
			case m := <-said:
				if m.Name() == "accept" || m.Name() == "deny" || m.Name() == "end" {
					return m
				}
			case <-limit.C:
				t.Fatal("the endpoint says nothing")
			}
		}
	}
}

// TestRow67Grants: an endpoint takes no session without a grant that its own server signed, for it, for that session, in its time and not ended before; the audit trail has the
// end of a session whose grant was refused. The grants are the server's own, and such as would be the server's if somebody else could sign.
func TestRow67Grants(t *testing.T) {
	t.Parallel()
	st := newStage(t, "pc-1", "pc-2")
	key, err := identity.Load(filepath.Join(st.s.Config.DataDir, "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	take := endpointOf(t, "pc-1@"+domain, key.Public())
	o, other := st.asked("pc-1"), st.asked("pc-2")
	good, err := signalling.Open(key.Public(), o.Grant, "pc-1@"+domain, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(by identity.Key, change func(*signalling.Grant)) string {
		t.Helper()
		g := good
		change(&g)
		text, err := signalling.Seal(by, g)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	head, signature, _ := strings.Cut(strings.TrimPrefix(o.Grant, "sbg1."), ".")
	_, foreign, _ := strings.Cut(strings.TrimPrefix(other.Grant, "sbg1."), ".")
	for _, tc := range []struct{ name, id, grant string }{
		{"none", o.ID, "x"},
		{"not signed", o.ID, "sbg1." + head + "."},
		{"signature of another grant", o.ID, "sbg1." + head + "." + foreign},
		{"changed", o.ID, "sbg1." + head[:40] + string(head[40]^1) + head[41:] + "." + signature},
		{"of another key", o.ID, sealed(identity.Generate(), func(*signalling.Grant) {})},
		{"of another endpoint", other.ID, other.Grant},
		{"of another domain", o.ID, sealed(key, func(g *signalling.Grant) { g.Endpoint = "pc-1@elsewhere.test" })},
		{"expired", o.ID, sealed(key, func(g *signalling.Grant) { g.Expires = time.Now().Add(-time.Second) })},
		{"of another session", other.ID, o.Grant},
	} {
		m, ok := take(signalling.Offer{About: signalling.About{ID: tc.id}, Grant: tc.grant}).(signalling.Deny)
		if !ok || m.Reason != "grant_refused" || m.ID != tc.id {
			t.Errorf("%s: the endpoint says %#v", tc.name, m)
		}
	}
	if m, ok := take(signalling.Offer{About: signalling.About{ID: o.ID}, Grant: o.Grant}).(signalling.Accept); !ok {
		t.Fatalf("the grant itself: the endpoint says %#v", m)
	}
	again := sealed(key, func(g *signalling.Grant) { g.ID = other.ID })
	if m, ok := take(signalling.Offer{About: signalling.About{ID: other.ID}, Grant: again}).(signalling.Accept); !ok {
		t.Fatalf("a grant of another session of its own: the endpoint says %#v", m)
	}
	st.say("pc-2", "<deny ID reason='grant_refused' detail='the grant is not signed by this server'/>", other.ID, "result")
	st.is(other, "ended")
	if _, trail := st.s.Call(t, "GET", "/v1/audit?action=session.ended&subject="+other.ID, "", 200); !strings.Contains(trail, `"grant_refused"`) {
		t.Errorf("the audit trail has no end of the session: %s", trail)
	}
}
