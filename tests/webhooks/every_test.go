package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/certs"
	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/internal/events"
	"signalbox/internal/push"
	"signalbox/tests/harness"
)

// stream collects what the stream of events has.
type stream struct {
	mu  sync.Mutex
	got map[string]client.Event // by id
}

// follow reads the stream from the beginning until the test ends.
func follow(t *testing.T, s *harness.Server) *stream {
	t.Helper()
	f := &stream{got: map[string]client.Event{}}
	c := api(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- c.FollowEvents(ctx, client.EventFilter{After: "0"}, nil, func(e client.Event) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.got[e.ID] = e
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("FollowEvents = %v", err)
		}
	})
	return f
}

// of returns the events of a type behind a number.
func (f *stream) of(typ string, from int64) (all []client.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.got {
		if e.Type == typ && e.Seq > from {
			all = append(all, e)
		}
	}
	return all
}

// facts are what an event of each type says at least, beside whom it is about.
var facts = map[string][]string{
	"push.accepted": {"id", "type", "state"}, "push.sent": {"id", "type", "state"}, "push.delivered": {"id", "type", "state"}, "push.handled": {"id", "type", "state"},
	"push.failed": {"id", "type", "state", "reason"}, "push.expired": {"id", "type", "state", "reason"}, "push.replaced": {"id", "type", "state", "reason", "by"},
	"push.cancelled": {"id", "type", "state", "reason"}, "push.rejected": {"id", "type", "state", "reason"},
	"endpoint.online": {"remote_addr", "via", "tls_version"}, "endpoint.offline": {"reason", "remote_addr"},
	"endpoint.flapping": {"sessions_last_minute", "remote_addr"}, "endpoint.cloned": {"remote_addr", "other_addr"},
	"endpoint.created": {"enabled"}, "endpoint.updated": {"changed"}, "endpoint.deleted": nil,
	"cert.expiring": {"file", "not_after"}, "cert.changed": {"file", "not_after"}, "tls.refused": {"source", "listener", "reason", "alert", "count"},
	"server.started": {"version"}, "server.draining": {"until"}, "webhook.disabled": {"webhook", "reason"},
	"campaign.started": {"id", "name"}, "campaign.paused": {"id", "name"}, "campaign.resumed": {"id", "name"}, "campaign.aborted": {"id", "name", "reason"},
	"campaign.finished":   {"id", "name"},
	"turn.session.opened": {"id", "opened_by", "expires_at"}, "turn.session.ended": {"id", "opened_by", "reason", "counters"},
	"session.requested": {"id", "endpoint", "technician", "opened_by", "why", "kinds", "state", "expires_at"}, "session.consent": {"id", "consent"},
	"session.accepted": {"id", "consent", "state"}, "session.active": {"id", "path", "state"}, "session.lost": {"id", "state"}, "session.returned": {"id", "state"},
	"session.changed": {"id", "expires_at"}, "session.ended": {"id", "reason", "path", "seconds", "bytes_up", "bytes_down"},
}

// TestEveryType brings every type of event about, and holds what the stream has against what a webhook and the management server got: the same, with all facts.
func TestEveryType(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, certs.CAOptions{})
	manager, hook := listen(t, a, ""), listen(t, a, "")
	s := harness.NewTURN(t, quick(a), managed("itsm.signalbox.test", manager), func(c *config.Config) {
		c.Events.OfflineGrace, c.Events.FlappingSessions, c.Events.FlappingCalm = 0, 2, time.Second
		c.Events.Types = []string{"*"}
		c.Push.QueueCount, c.Push.QueuePolicy = 1, push.DropOldest
	})
	_, late, err := certs.MakeCA(certs.CAOptions{Names: []string{"late.test"}, LeafValid: 10 * 24 * time.Hour})
	must(t, err)
	s.Run()
	t.Cleanup(s.Stop)
	manager.await(t, 1, "presence.snapshot")
	from := register(t, api(t, s), hook, "*").Status.Cursor
	s.KeepPorts()
	s.Stop()
	s.Run()
	f := follow(t, s)
	bundle(t, s, "late.pem", late)
	play(t, s, a)
	for _, typ := range events.Types() {
		want, known := facts[string(typ)]
		if !known {
			t.Errorf("the test does not know what %s says", typ)
			continue
		}
		harness.Await(t, func() bool { return len(f.of(string(typ), from)) > 0 }, func() string { return "the stream has no " + string(typ) })
		for _, e := range f.of(string(typ), from) {
			said(t, e, want)
			same(t, e, manager.await1(t, e.ID))
			same(t, e, hook.await1(t, e.ID))
		}
	}
	manager.check(t)
	hook.check(t)
}

// said fails unless the data of an event has every fact.
func said(t *testing.T, e client.Event, want []string) {
	t.Helper()
	var data map[string]json.RawMessage
	must(t, json.Unmarshal(e.Data, &data))
	for _, name := range want {
		if v := string(data[name]); v == "" || v == `""` || v == "null" {
			t.Errorf("%s does not say %s: %s", e.Type, name, e.Data)
		}
	}
	if subject, _, _ := strings.Cut(e.Type, "."); slices.Contains([]string{"push", "endpoint", "session"}, subject) != (e.Endpoint != "") {
		t.Errorf("%s is about endpoint %q", e.Type, e.Endpoint)
	}
}

// same fails unless a webhook got what the stream has.
func same(t *testing.T, e client.Event, got event) {
	t.Helper()
	var data, streamed map[string]any
	var body struct{ Data *map[string]any }
	body.Data = &data
	must(t, json.Unmarshal(got.body, &body))
	must(t, json.Unmarshal(e.Data, &streamed))
	streamed["seq"] = float64(e.Seq)
	if e.Endpoint != "" {
		streamed["endpoint"] = e.Endpoint
	}
	want, err := json.Marshal(streamed)
	must(t, err)
	have, err := json.Marshal(data)
	must(t, err)
	if got.Type != e.Type || !got.Timestamp.Equal(e.Timestamp) || !bytes.Equal(want, have) {
		t.Errorf("%s at %s: the webhook has\n%s of %s, the stream\n%s", e.Type, e.Timestamp, have, got.Timestamp, want)
	}
}

// await1 waits for the event of an id.
func (r *receiver) await1(t *testing.T, id string) (e event) {
	t.Helper()
	harness.Await(t, func() bool {
		all := r.events()
		i := slices.IndexFunc(all, func(e event) bool { return e.ID == id })
		if i >= 0 {
			e = all[i]
		}
		return i >= 0
	}, func() string { return "the receiver did not get " + id })
	return e
}

// bundle puts a file into the folder of certificates.
func bundle(t *testing.T, s *harness.Server, name string, text []byte) {
	t.Helper()
	file := filepath.Join(s.Config.Certs.Dir, name)
	must(t, os.WriteFile(file+".new", text, 0o600))
	must(t, os.Rename(file+".new", file))
}

// play has everything happen that there is an event for.
func play(t *testing.T, s *harness.Server, a authority) {
	t.Helper()
	endpoints(t, api(t, s), "pc-1", "pc-2", "pc-3", "pc-4")
	playPushes(t, s)
	playPresence(t, s)
	playCampaigns(t, s)
	playTURN(t, s)
	playSession(t, s)
	bundle(t, s, harness.Domain+".pem", s.Next)
	conn, err := tls.Dial("tcp", s.Addr("tls"), &tls.Config{ServerName: harness.Domain, RootCAs: x509.NewCertPool(), NextProtos: []string{"xmpp-client"}})
	if err == nil {
		conn.Close()
		t.Error("a client without authorities trusts the server")
	}
	gone := listen(t, a, "")
	gone.always(http.StatusGone)
	_, text := s.Call(t, "POST", "/v1/webhooks", `{"url":"`+gone.URL+`","types":["endpoint.updated"]}`, http.StatusCreated)
	s.Call(t, "PATCH", "/v1/endpoints/pc-4", `{"labels":{"a":"b"}}`, http.StatusOK)
	var made struct{ ID string }
	must(t, json.Unmarshal([]byte(text), &made))
	awaitState(t, api(t, s), made.ID, "disabled")
	s.Call(t, "DELETE", "/v1/endpoints/pc-4", "", http.StatusNoContent)
	s.Call(t, "POST", "/v1/drain", `{"period":1}`, http.StatusAccepted)
}

func playPushes(t *testing.T, s *harness.Server) {
	t.Helper()
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret", "agent")
	pc.Send("<presence/>")
	answer := func(text string) {
		pc.Send("<message to='" + harness.Domain + "'>" + text + "</message>")
	}
	delivered := s.Submit(t, `{"to":"pc-1","type":"demo.one"}`)
	pc.Want(delivered)
	answer("<received xmlns='urn:xmpp:receipts' id='" + delivered + "'/>")
	s.AwaitPush(t, delivered, "delivered") // one place is all that the queue has
	for status, state := range map[string]string{"ok": "handled", "failed": "failed"} {
		id := s.Submit(t, `{"to":"pc-1","type":"demo.two","ack":"handled"}`)
		pc.Want(id)
		answer("<result xmlns='urn:signalbox:push:1' id='" + id + "' status='" + status + "'/>")
		s.AwaitPush(t, id, state)
	}
	s.Submit(t, `{"to":"pc-2","type":"demo.three","ttl":0}`)
	s.Submit(t, `{"to":"pc-2","type":"demo.four","collapse_key":"k"}`)
	s.Submit(t, `{"to":"pc-2","type":"demo.four","collapse_key":"k"}`)
	s.Submit(t, `{"to":"pc-2","type":"demo.five"}`) // what waits is dropped
	s.Call(t, "DELETE", "/v1/pushes/"+s.Submit(t, `{"to":"pc-2","type":"demo.six"}`), "", http.StatusOK)
}

func playPresence(t *testing.T, s *harness.Server) {
	t.Helper()
	for range 3 {
		pc := s.Connect(t, "pc-2")
		pc.Login("pc-2", "s3cret", "agent")
		pc.Close()
		s.AwaitPresence(t, "pc-2", "offline")
	}
	first, second := s.Connect(t, "pc-3"), s.Connect(t, "pc-3")
	first.Login("pc-3", "s3cret", "one")
	second.Login("pc-3", "s3cret", "two")
	first.Want("conflict")
	third := s.Connect(t, "pc-3")
	third.Authenticate("pc-3", "s3cret")
	third.Send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>one</resource></bind></iq>")
	second.Want("ping")
	second.Send(" ")
	third.Want("conflict")
}

func playTURN(t *testing.T, s *harness.Server) {
	t.Helper()
	header, _ := s.Call(t, "POST", "/v1/turn/sessions", `{"endpoints":{"a":"pc-1"}}`, http.StatusCreated)
	s.Call(t, "DELETE", header.Get("Location"), "", http.StatusOK)
}

// playSession has an endpoint take a remote session, lose its connection and come back.
func playSession(t *testing.T, s *harness.Server) {
	t.Helper()
	endpoints(t, api(t, s), "pc-5")
	pc := s.Connect(t, "pc-5")
	pc.Login("pc-5", "s3cret", "agent")
	pc.Send("<presence/>")
	s.AwaitPresence(t, "pc-5", "online")
	header, text := s.Call(t, "POST", "/v1/sessions", `{"endpoint":"pc-5","technician":{"id":"ann"},"why":"ticket 4711","kinds":["terminal"]}`, http.StatusCreated)
	var made struct{ ID string }
	must(t, json.Unmarshal([]byte(text), &made))
	say := func(name, rest string) {
		pc.Send("<iq type='set' to='" + harness.Domain + "' id='" + name + "'><" + name + " xmlns='urn:signalbox:session:1' id='" + made.ID + "'" + rest + "</" + name + "></iq>")
	}
	pc.Want("<grant>")
	say("consent", " state='allowed' desktop='active'>")
	say("accept", "><capability>terminal</capability>")
	say("path", " rung='turn_udp' bytes-up='5' bytes-down='7' idle-seconds='0'>")
	state := func(want string) {
		t.Helper()
		harness.Await(t, func() bool {
			_, text = s.Call(t, "GET", "/v1/sessions/"+made.ID, "", http.StatusOK)
			return strings.Contains(text, `"state":"`+want+`"`)
		}, func() string { return "the session is not " + want + ": " + text })
	}
	state("active")
	pc.Close()
	state("reconnecting")
	pc = s.Connect(t, "pc-5")
	pc.Login("pc-5", "s3cret", "agent")
	pc.Send("<presence/>")
	say("accept", " resumed='true'><capability>terminal</capability>")
	state("active")
	s.Call(t, "PATCH", header.Get("Location"), `{"max_duration":7200}`, http.StatusOK)
	s.Call(t, "DELETE", header.Get("Location"), "", http.StatusOK)
}

func playCampaigns(t *testing.T, s *harness.Server) {
	t.Helper()
	s.Call(t, "POST", "/v1/campaigns", `{"name":"ends","push":{"to":["pc-4"],"type":"demo.roll","ttl":0}}`, http.StatusCreated)
	_, text := s.Call(t, "POST", "/v1/campaigns", `{"name":"waits","push":{"to":["pc-4"],"type":"demo.roll"},"start":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`, http.StatusCreated)
	var made struct{ ID string }
	must(t, json.Unmarshal([]byte(text), &made))
	for _, verb := range []string{"pause", "resume", "abort"} {
		s.Call(t, "POST", "/v1/campaigns/"+made.ID+"/"+verb, "", http.StatusOK)
	}
}
