package remote

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// user is a Consent with an answer that comes after a while.
type user struct {
	answer  Answer
	after   time.Duration
	asked   []Question
	notices []string
}

func (u *user) Desktop(context.Context) string { return signalling.DesktopActive }

func (u *user) Ask(ctx context.Context, q Question) Answer {
	u.asked = append(u.asked, q)
	select {
	case <-time.After(u.after):
		return u.answer
	case <-ctx.Done():
		return signalling.ConsentTimedOut
	}
}

func (u *user) Notify(n Notice) func() {
	u.notices = append(u.notices, "shown to "+n.Technician.Name)
	return func() { u.notices = append(u.notices, "hidden") }
}

// told writes what the endpoint said about the consent.
func told(m signalling.Message) string {
	switch m := m.(type) {
	case signalling.Consent:
		return strings.TrimSpace(fmt.Sprintf("%s %d %s", m.State, m.Seconds, m.Desktop))
	case signalling.Accept:
		return fmt.Sprintf("accept %v", m.Capabilities)
	case signalling.Deny:
		return "deny " + m.Reason + ": " + m.Detail
	}
	return fmt.Sprintf("%#v", m)
}

func TestConsent(t *testing.T) {
	const accept = "accept [terminal files system]"
	for _, tt := range []struct {
		name, mode, own string
		user            Consent
		want            []string
	}{
		{"nobody is asked", "none", "", &user{}, []string{"not_needed 0", accept}},
		{"allowed", "ask_deny", "", &user{answer: "allowed"}, []string{"asking 30 active", "allowed 0 active", accept}},
		{"denied", "ask_allow", "", &user{answer: "denied"}, []string{"asking 30 active", "denied 0 active", "deny consent_denied: the user at the endpoint said no"}},
		{"silence allows", "ask_allow", "", &user{after: time.Hour}, []string{"asking 30 active", "timed_out 0 active", accept}},
		{"silence denies", "ask_deny", "", &user{after: time.Hour}, []string{"asking 30 active", "timed_out 0 active", "deny consent_timeout: nobody answered the question at the endpoint in time"}},
		{"nobody to ask allows", "ask_allow", "", Nobody{}, []string{"asking 30 unknown", "nobody 0 unknown", accept}},
		{"nobody to ask denies", "ask_deny", "", Nobody{}, []string{"asking 30 unknown", "nobody 0 unknown", "deny consent_timeout: nobody is there who could be asked"}},
		{"a question that is not shown allows", "ask_allow", "", &user{answer: NotShown}, []string{"asking 30 active", "timed_out 0 active", accept}},
		{
			"a question that is not shown denies", "ask_deny", "", &user{answer: NotShown},
			[]string{"asking 30 active", "timed_out 0 active", "deny consent_timeout: the question could not be shown to the user at the endpoint"},
		},
		{"an answer of another sort", "ask_allow", "", &user{answer: "perhaps"}, []string{"asking 30 active", "denied 0 active", "deny consent_denied: the user at the endpoint said no"}},
		{"the endpoint is stricter", "none", "ask_deny", Nobody{}, []string{"asking 30 unknown", "nobody 0 unknown", "deny consent_timeout: nobody is there who could be asked"}},
		{"the endpoint is laxer", "ask_deny", "none", Nobody{}, []string{"asking 30 unknown", "nobody 0 unknown", "deny consent_timeout: nobody is there who could be asked"}},
		{"a mode of another sort", "whatever", "", Nobody{}, []string{"asking 30 unknown", "nobody 0 unknown", "deny consent_timeout: nobody is there who could be asked"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := DefaultConfig()
				cfg.Consent = tt.own
				w := newWorld(t, cfg, tt.user)
				w.offer(grant(func(g *signalling.Grant) { g.Consent.Mode = tt.mode }))
				var got []string
				for range tt.want {
					got = append(got, told(w.hear()))
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("said (-want +got):\n%s", d)
				}
				synctest.Wait()
				if n := len(w.Sessions()); n != strings.Count(strings.Join(tt.want, " "), "accept") {
					t.Errorf("%d sessions run", n)
				}
			})
		})
	}
}

// The user is asked what the grant says, for as long as it says, within bounds.
func TestQuestion(t *testing.T) {
	for _, tt := range []struct{ said, want time.Duration }{
		{0, 30 * time.Second}, {90 * time.Second, 90 * time.Second}, {time.Second, signalling.MinConsent}, {time.Hour, signalling.MaxConsent},
	} {
		t.Run(tt.said.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &user{answer: signalling.ConsentAllowed}
				w := newWorld(t, DefaultConfig(), u)
				g := grant(func(g *signalling.Grant) {
					g.Why, g.Permissions = "ticket 4711", []string{channel.MayReadFiles}
					g.Consent = signalling.ConsentMode{Mode: signalling.ModeAskAllow, Timeout: tt.said, Message: "May I?"}
				})
				w.offer(g)
				if got, want := told(w.hear()), fmt.Sprintf("asking %d active", int(tt.want/time.Second)); got != want {
					t.Errorf("the technician is told %q, want %q", got, want)
				}
				synctest.Wait()
				want := Question{
					Session: "ses_1", Technician: g.Technician, Why: "ticket 4711", Message: "May I?", Kinds: g.Kinds, Permissions: g.Permissions, Timeout: tt.want, Allows: true,
				}
				if d := cmp.Diff([]Question{want}, u.asked); d != "" {
					t.Errorf("asked (-want +got):\n%s", d)
				}
			})
		})
	}
}

// The user sees that a session runs, and can end it, also while the server is not there.
func TestUserEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &user{}
		w := newWorld(t, DefaultConfig(), u)
		w.begin(grant(func(g *signalling.Grant) { g.NotifyUser = true }))
		w.Offline()
		if all := w.Sessions(); len(all) != 1 || all[0].ID != "ses_1" || all[0].Technician.Name != "Ada" || !all[0].Accepted {
			t.Errorf("Sessions() = %+v", all)
		}
		if !w.End("ses_1", "ann") || w.End("ses_2", "ann") {
			t.Error("End() of the session that runs, or of none")
		}
		synctest.Wait()
		if len(w.Sessions()) != 0 {
			t.Error("the session goes on")
		}
		w.online()
		w.ends("user_ended")
		if d := cmp.Diff([]string{"shown to Ada", "hidden"}, u.notices); d != "" {
			t.Errorf("notices (-want +got):\n%s", d)
		}
	})
}

// What is no good grant is refused, and so is one whose session has ended.
func TestGrantsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, DefaultConfig(), nil)
		for _, tt := range []struct{ name, id, text string }{
			{"none", "ses_1", ""},
			{"wrong key", "ses_1", seal(grant(), "forged")},
			{"of another endpoint", "ses_1", seal(grant(func(g *signalling.Grant) { g.Endpoint = "pc-2@example.org" }), "signed")},
			{"expired", "ses_1", seal(grant(func(g *signalling.Grant) { g.Expires = time.Now() }), "signed")},
			{"of another session", "ses_2", seal(grant(), "signed")},
		} {
			must(t, w.Take(signalling.Offer{About: signalling.About{ID: tt.id}, Grant: tt.text}))
			if m, ok := w.hear().(signalling.Deny); !ok || m.Reason != "grant_refused" || m.ID != tt.id || m.Detail == "" {
				t.Errorf("%s: the endpoint says %#v", tt.name, m)
			}
		}
		w.begin(grant())
		must(t, w.Take(signalling.End{About: signalling.About{ID: "ses_1"}, Reason: "technician_ended"}))
		synctest.Wait()
		w.offer(grant())
		if m, ok := w.hear().(signalling.Deny); !ok || m.Reason != "grant_refused" {
			t.Errorf("again after its end: %#v", m)
		}
		if err := w.Take(signalling.End{About: signalling.About{ID: "ses_1"}}); err != ErrUnknown { //nolint:errorlint // it is exactly that
			t.Errorf("Take() for a session that has ended = %v", err)
		}
	})
}

func TestSessionsAreRefused(t *testing.T) {
	none := errNotHere{}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		kinds  []string
		want   string
	}{
		{"switched off", func(c *Config) { c.Enabled = false }, []string{"terminal"}, "not_supported"},
		{"nothing of it here", func(*Config) {}, []string{"desktop", "processes"}, "not_supported"},
		{"nothing of it allowed", func(c *Config) { c.Kinds = []string{"files"} }, []string{"terminal"}, "not_supported"},
		{"too many", func(c *Config) { c.MaxSessions = 1 }, []string{"terminal"}, "busy"},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := DefaultConfig()
			tt.change(&cfg)
			w := newWorld(t, cfg, nil, &echo{name: "terminal"}, &echo{name: "files"}, &echo{name: "processes", no: none})
			if tt.want == "busy" {
				w.begin(grant())
			}
			w.offer(grant(func(g *signalling.Grant) { g.ID, g.Kinds = "ses_2", tt.kinds }))
			if m, ok := w.hear().(signalling.Deny); !ok || m.Reason != tt.want || m.ID != "ses_2" {
				t.Errorf("%s: the endpoint says %#v, want %s", tt.name, m, tt.want)
			}
		})
	}
}

type errNotHere struct{}

func (errNotHere) Error() string { return "not here" }

// again offers the session that runs with other limits.
func again(change func(*signalling.Grant)) func(*world) {
	return func(w *world) {
		w.offer(grant(change))
		if m, ok := w.hear().(signalling.Accept); !ok || !m.Resumed {
			w.t.Errorf("the endpoint says %#v, want that the session goes on", m)
		}
	}
}

// The endpoint holds a session to its time by itself.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*signalling.Grant)
		act    func(w *world)
		after  time.Duration
		want   string
	}{
		{"duration", func(*signalling.Grant) {}, nil, time.Hour, "duration_limit"},
		{"lengthened", func(*signalling.Grant) {}, again(func(g *signalling.Grant) { g.Expires = g.Expires.Add(time.Hour) }), 2 * time.Hour, "duration_limit"},
		{"shortened", func(*signalling.Grant) {}, again(func(g *signalling.Grant) { g.Expires = g.Expires.Add(-30 * time.Minute) }), 30 * time.Minute, "duration_limit"},
		{"idle less", func(*signalling.Grant) {}, again(func(g *signalling.Grant) { g.Idle = 5 * time.Minute }), 5 * time.Minute, "idle_limit"},
		{"idle", func(g *signalling.Grant) { g.Idle = 10 * time.Minute }, nil, 10 * time.Minute, "idle_limit"},
		{"idle beside measurements", func(g *signalling.Grant) { g.Idle = 10 * time.Minute }, func(w *world) { w.send("system", 5*time.Minute) }, 10 * time.Minute, "idle_limit"},
		{"idle after an act", func(g *signalling.Grant) { g.Idle = 10 * time.Minute }, func(w *world) { w.send("terminal", 5*time.Minute) }, 15 * time.Minute, "idle_limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, DefaultConfig(), nil)
				began := time.Now()
				w.begin(grant(tt.change))
				if tt.act != nil {
					tt.act(w)
				}
				w.ends(tt.want)
				if took := time.Since(began); took < tt.after || took > tt.after+2*tickEach {
					t.Errorf("after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// Without the server a session goes on as long as the technician is reached, and a minute longer. With it back, the server hears that.
func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, DefaultConfig(), nil)
		w.begin(grant())
		c := w.open("terminal")
		synctest.Wait()
		w.Offline()
		time.Sleep(10 * time.Minute)
		must(t, c.Send(t.Context(), channel.Message{Data: []byte("x")}))
		_, err := c.Receive(t.Context())
		must(t, err)
		w.online()
		if m, ok := w.hear().(signalling.Accept); !ok || !m.Resumed || m.ID != "ses_1" {
			t.Errorf("after the login the endpoint says %#v", m)
		}
		c = w.open("terminal") // which a login ends over the relay
		synctest.Wait()
		w.Offline()
		time.Sleep(signalling.ReturnWithin / 2)
		must(t, c.Close())
		time.Sleep(signalling.ReturnWithin - 2*tickEach)
		if len(w.Sessions()) != 1 {
			t.Error("the session ended before the technician could come back")
		}
		time.Sleep(4 * tickEach)
		if len(w.Sessions()) != 0 {
			t.Error("the session goes on without anybody")
		}
		w.online()
		w.ends("technician_lost")
	})
}

// A server that has started anew offers sessions that run again: no new question, no second session.
func TestOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, DefaultConfig(), &user{answer: "allowed"})
		g := grant(func(g *signalling.Grant) { g.Consent.Mode = signalling.ModeAskDeny })
		w.begin(g)
		w.offer(g)
		if m, ok := w.hear().(signalling.Accept); !ok || !m.Resumed {
			t.Errorf("the endpoint says %#v", m)
		}
		w.Gone("ses_1")
		synctest.Wait()
		if len(w.Sessions()) != 0 {
			t.Error("a session that the server does not know goes on")
		}
	})
}

func TestAgentStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{name: "terminal"}
		w := newWorld(t, DefaultConfig(), nil, e)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx)
		}()
		w.begin(grant())
		w.open("terminal")
		synctest.Wait()
		stop()
		<-done
		w.ends("endpoint_ended")
		if e.closed != 1 {
			t.Errorf("the capability was closed %d times", e.closed)
		}
		if err := w.Take(signalling.Offer{About: signalling.About{ID: "ses_2"}, Grant: seal(grant(func(g *signalling.Grant) { g.ID = "ses_2" }), "signed")}); err != ErrStopped { //nolint:errorlint // it is exactly that
			t.Errorf("Take() = %v, want ErrStopped", err)
		}
	})
}

// Channels through the relay: only those that were granted, only to the server's relay, only as many bytes as allowed.
func TestRelay(t *testing.T) {
	for _, tt := range []struct {
		name, channel string
		change        func(*signalling.Grant)
		want          string // what comes back for "hello"
	}{
		{"files", "files", func(*signalling.Grant) {}, "hello"},
		{"system, which needs no grant", "system", func(*signalling.Grant) {}, "hello"},
		{"not granted", "terminal", func(g *signalling.Grant) { g.Kinds = []string{"files"} }, "not_permitted"},
		{"not here", "desktop", func(g *signalling.Grant) { g.Kinds = []string{"files", "desktop"} }, "not_supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, DefaultConfig(), nil)
				w.begin(grant(tt.change))
				c := w.open(tt.channel)
				go func() { _ = c.Send(t.Context(), channel.Message{Text: true, Data: []byte("hello")}) }() // a refusal does not wait for it
				m, err := c.Receive(t.Context())
				if err != nil || !strings.Contains(string(m.Data), tt.want) {
					t.Errorf("Receive() = %q, %v, want %q", m.Data, err, tt.want)
				}
				must(t, c.Close())
			})
		})
	}
}

func TestRelayURLs(t *testing.T) {
	allowed := []string{"wss://example.org/relay/", "wss://b.example.org:8443/relay/"}
	for url, want := range map[string]bool{
		"wss://example.org/relay/abc":            true,
		"wss://b.example.org:8443/relay/abc":     true,
		"wss://example.org/console/abc":          false,
		"wss://example.org/relay/../console":     false,
		"wss://example.org/relay/%2e%2e/x":       false,
		"ws://example.org/relay/abc":             false,
		"wss://example.org.evil.com/relay/abc":   false,
		"wss://u@example.org/relay/abc":          false,
		"wss://example.org/relay/abc#x":          false,
		"https://example.org/relay/abc":          false,
		"":                                       false,
		"wss://example.org/relay/abc\r\nHost: x": false,
	} {
		if got := allowedURL(url, allowed); got != want {
			t.Errorf("allowedURL(%q) = %v", url, got)
		}
	}
	if allowedURL("wss://example.org.evil.com/x", []string{"wss://example.org"}) || allowedURL("wss://x/", nil) {
		t.Error("a beginning that ends within a name allows another")
	}
}

func TestRelayIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, DefaultConfig(), nil)
		ask := func(url string) {
			must(t, w.Take(signalling.Relay{About: signalling.About{ID: "ses_1"}, Channel: "terminal", Number: 1, URL: url}))
			synctest.Wait()
		}
		w.begin(grant(func(g *signalling.Grant) { g.Transport = signalling.TransportTURNOnly }))
		ask("wss://example.org/relay/a")
		ask("wss://evil.example/relay/a")
		if len(w.asked) != 0 {
			t.Errorf("the relay was asked for %v", w.asked)
		}
	})
}

func TestRelayedBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, DefaultConfig(), nil)
		w.begin(grant(func(g *signalling.Grant) { g.MaxBytes = 250 }))
		c := w.open("files")
		must(t, c.Send(t.Context(), channel.Message{Data: make([]byte, 100)}))
		_, err := c.Receive(t.Context())
		must(t, err)
		must(t, c.Send(t.Context(), channel.Message{Data: make([]byte, 100)}))
		w.ends("byte_limit")
	})
}

// At most 16 channels are served; the next is told so.
func TestChannelsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &echo{name: "terminal"}
		w := newWorld(t, DefaultConfig(), nil, e)
		w.begin(grant(func(g *signalling.Grant) { g.Permissions = []string{channel.MayType} }))
		for range 16 {
			w.open("terminal")
			synctest.Wait()
		}
		c := w.open("terminal")
		m, err := c.Receive(t.Context())
		if err != nil || !strings.Contains(string(m.Data), "too many channels") {
			t.Errorf("Receive() = %q, %v", m.Data, err)
		}
		if len(e.opened) != 1 || e.opened[0].ID != "ses_1" || !e.opened[0].May(channel.MayType) || e.opened[0].May(channel.MayKill) {
			t.Errorf("opened = %+v, want one instance for all channels, with the grant's permissions", e.opened)
		}
	})
}

// Messages that come faster than they are handled are not kept.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowUser{hold: make(chan struct{})}
		w := newWorld(t, DefaultConfig(), slow)
		w.begin(grant(func(g *signalling.Grant) { g.NotifyUser = true }))
		var err error
		n := 0
		for ; err == nil && n < 10*maxBox; n++ {
			err = w.Take(signalling.ICE{About: signalling.About{ID: "ses_1"}})
		}
		if err != ErrFlood || n > maxBox+2 { //nolint:errorlint // it is exactly that
			t.Errorf("%d messages were kept, then %v", n, err)
		}
		close(slow.hold)
	})
}

// slowUser holds the session up when it is shown.
type slowUser struct {
	user
	hold chan struct{}
}

func (u *slowUser) Notify(Notice) func() {
	<-u.hold
	return func() {}
}

var _ capability.Capability = (*echo)(nil)

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Kinds: []string{"shell"}, FilesRoot: "here", Consent: "maybe", MaxSessions: 17}.Validate()
	for _, want := range []string{`kinds[0]: "shell" is none of`, `files_root: "here" is no absolute path`, `consent: "maybe" is none of`, "max_sessions: must be"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
	}
}
