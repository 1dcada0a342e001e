package tests

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/identity"
	"signalbox/internal/signalling"
	"signalbox/tests/harness"
)

// remoteSession is what the API says when a session is opened, and of one.
type remoteSession struct {
	ID, Token, State, Reason, Path string
}

// openRemote opens a session over the API.
func openRemote(t *testing.T, s *harness.Server, body string) (r remoteSession) {
	t.Helper()
	_, text := s.Call(t, "POST", "/v1/sessions", body, 201)
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// awaitRemote waits until a session is in a state.
func awaitRemote(t *testing.T, s *harness.Server, id, state string) (r remoteSession) {
	t.Helper()
	harness.Await(t, func() bool {
		_, text := s.Call(t, "GET", "/v1/sessions/"+id, "", 200)
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		return r.State == state
	}, func() string { return "the session is " + r.State + " " + r.Reason + ", want " + state })
	return r
}

// nextOf returns the next message of signalling with this name, over others and over answers.
func nextOf(t *testing.T, st *harness.Stream, element string) string {
	t.Helper()
	for {
		item := skipRequests(st)
		if strings.Contains(item, "<"+element+" ") {
			return item
		}
		if !strings.Contains(item, signalling.Namespace) && !strings.Contains(item, "type='result'") {
			t.Fatalf("got %s, want <%s>", item, element)
		}
	}
}

// inner returns what stands between two texts.
func inner(item, before, after string) string {
	_, rest, _ := strings.Cut(item, before)
	text, _, _ := strings.Cut(rest, after)
	return text
}

// signal says something of a session to the server.
func signal(st *harness.Stream, payload string) {
	st.Send("<iq xmlns='jabber:client' type='set' id='s1' to='" + harness.Domain + "'>" + payload + "</iq>")
}

// seatOf logs a technician in, and returns the first state.
func seatOf(t *testing.T, s *harness.Server, id, token string) (*harness.Stream, string) {
	t.Helper()
	tech := s.Connect(t, "technician")
	tech.Authenticate(id, token)
	tech.Send("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
	tech.Want("type='result'")
	return tech, nextOf(t, tech, "state")
}

// TestRemoteSession: a session from the API to its end, over a restart of the server, with both parties on XMPP.
func TestRemoteSession(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	register(t, s, "pc-1")
	pc := s.Connect(t, "pc")
	smid := resumable(t, pc, "pc-1")
	s.AwaitPresence(t, "pc-1", "online")
	r := openRemote(t, s, `{"endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"kinds":["terminal"],"consent":{"mode":"none"}}`)

	offer := nextOf(t, pc, "offer")
	key, err := identity.Load(filepath.Join(s.Config.DataDir, "identity.key"))
	if err != nil {
		t.Fatal(err)
	}
	grant, err := signalling.Open(key.Public(), inner(offer, "<grant>", "</grant>"), "pc-1@"+harness.Domain, time.Now())
	if err != nil || grant.ID != r.ID || grant.Technician.Name != "Ann Lee" || len(grant.RelayHosts) != 1 || !strings.HasPrefix(grant.RelayHosts[0], "wss://") {
		t.Fatalf("grant %+v, %v", grant, err)
	}
	tech, state := seatOf(t, s, r.ID, r.Token)
	secret := inner(state, "reattach='", "'")
	signal(pc, "<accept xmlns='"+signalling.Namespace+"' id='"+r.ID+"'><capability>terminal</capability></accept>")
	nextOf(t, tech, "accept")
	nextOf(t, tech, "state")
	signal(tech, "<sdp xmlns='"+signalling.Namespace+"' id='"+r.ID+"' kind='offer' peer='1'>v=0</sdp>")
	if got := nextOf(t, pc, "sdp"); !strings.Contains(got, "v=0") {
		t.Errorf("the endpoint got %s", got)
	}
	signal(pc, "<path xmlns='"+signalling.Namespace+"' id='"+r.ID+"' rung='direct' bytes-up='0' bytes-down='0' idle-seconds='0'/>")
	nextOf(t, tech, "path")
	awaitRemote(t, s, r.ID, "active")

	s.KeepPorts()
	s.Stop()
	s.Run()
	awaitRemote(t, s, r.ID, "reconnecting")
	pc = s.Connect(t, "pc back")
	pc.Authenticate("pc-1", "s3cret-1")
	pc.Send("<resume xmlns='urn:xmpp:sm:3' previd='" + smid + "' h='0'/>")
	pc.Want("<resumed")
	nextOf(t, pc, "offer")
	tech, _ = seatOf(t, s, r.ID, "reattach:"+secret)
	signal(pc, "<accept xmlns='"+signalling.Namespace+"' id='"+r.ID+"' resumed='true'><capability>terminal</capability></accept>")
	awaitRemote(t, s, r.ID, "active")
	s.Call(t, "DELETE", "/v1/sessions/"+r.ID, "", 200)
	nextOf(t, tech, "end")
	nextOf(t, pc, "end")
	if got := awaitRemote(t, s, r.ID, "ended"); got.Reason != "management_ended" || got.Path != "direct" {
		t.Errorf("it ended as %+v", got)
	}
	_, text := s.Call(t, "GET", "/v1/audit?limit=100", "", 200)
	for _, act := range []string{"session.requested", "session.attached", "session.accepted", "session.active", "session.lost", "session.returned", "session.ended"} {
		if !strings.Contains(text, `"`+act+`"`) {
			t.Errorf("the audit has no %s: %s", act, text)
		}
	}
}
