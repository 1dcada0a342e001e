package why

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

// presence is what the API says of the scene's endpoint.
func (c *scene) presence() (p struct {
	Flapping bool
	Cloned   *struct {
		RemoteAddr string `json:"remote_addr"`
	}
}) {
	c.t.Helper()
	_, text := c.s.Call(c.t, "GET", "/v1/endpoints/"+c.id+"/presence", "", http.StatusOK)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// TestFlapping: presence, diagnosis, event and doctor say the same of an endpoint that comes and goes, and no longer when it is calm.
func TestFlapping(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick, func(c *config.Config) { c.Events.FlappingSessions, c.Events.FlappingCalm = 2, 10*time.Second })
	c := newScene(t, s)
	for range 3 {
		c.online().Close()
		c.s.AwaitPresence(t, c.id, "offline")
	}
	d := c.await("flapping")
	says(t, "summary", d.Summary, c.id+" comes and goes", "3 sessions that began")
	says(t, "action", d.Action, "timeline")
	if !c.presence().Flapping {
		t.Error("presence says nothing of it")
	}
	c.awaitEntry("endpoint.flapping")
	says(t, "timeline", c.timeline("").text(), c.id+" comes and goes too often")
	c.doctorNames(c.id + " (flapping)")
	c.await("connection_lost") // it is calm
	if c.presence().Flapping {
		t.Error("presence still says that it flaps")
	}
	c.doctorNames("none comes and goes")
}

// awaitEntry waits until the timeline has an entry, which is stored a moment after the thing.
func (c *scene) awaitEntry(kind string) {
	c.t.Helper()
	c.awaitEntries(kind, 1)
}

func (c *scene) awaitEntries(kind string, n int) {
	c.t.Helper()
	harness.Await(c.t, func() bool {
		found := slices.DeleteFunc(c.timeline("").kinds(), func(k string) bool { return k != kind })
		return len(found) >= n
	}, func() string { return strings.Join(c.timeline("").kinds(), " ") })
}

// doctorNames holds what /v1/doctor says of endpoints.
func (c *scene) doctorNames(words string) {
	c.t.Helper()
	_, text := c.s.Call(c.t, "GET", "/v1/doctor", "", http.StatusOK)
	var d struct {
		Checks []struct{ Step, Check, Detail string }
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		c.t.Fatal(err)
	}
	for _, k := range d.Checks {
		if k.Step+" "+k.Check == "server endpoints" {
			says(c.t, "doctor", k.Detail, words)
		}
	}
}

// TestClonedIdentity: a machine is thrown out by the real agent under its identity, comes back, and is refused, because the agent answers.
func TestClonedIdentity(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, quick)
	c := newScene(t, s)
	first := c.online()
	runAgent(t, s, c.id)
	first.Want("conflict")
	again := c.stream()
	again.Authenticate(c.id, secret)
	again.Send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>agent</resource></bind></iq>")
	again.Want("another machine is logged in with this identity")
	again.Close()
	var d diagnosed
	harness.Await(t, func() bool { d = c.await("clone_refused"); return len(d.Attempts) > 0 }, func() string { return "nothing is said of who was refused" })
	says(t, "summary", d.Summary, "A machine at "+c.ip+" logs in as "+c.id)
	says(t, "action", d.Action, "id and a secret of its own")
	if d.State != "online" || len(d.Attempts) != 1 || d.Attempts[0].Code != "clone_refused" || !strings.HasPrefix(d.Attempts[0].Address, c.ip+":") {
		t.Errorf("state %s, attempts %+v", d.State, d.Attempts)
	}
	if p := c.presence(); p.Cloned == nil || !strings.HasPrefix(p.Cloned.RemoteAddr, c.ip+":") {
		t.Errorf("presence = %+v", p)
	}
	c.awaitEntry("endpoint.cloned")
	says(t, "timeline", c.timeline("").text(), "Two machines log in as "+c.id, "A machine at "+c.ip+" logs in as "+c.id+" and is refused as a clone")
	c.doctorNames(c.id + " (clone_refused)")
}
