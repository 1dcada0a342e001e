package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
	"signalbox/internal/remote"
	"signalbox/internal/signalling"
)

func TestOpenSession(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1")
	b := w.signedIn("ada", "operator")
	var opened openedBody
	b.post("sessions", `{"endpoint":"pc-1","kinds":["files","terminal"],"permissions":["files.read","terminal.type"],"why":"ticket 4711","transport":"turn_only"}`).ok(http.StatusCreated).into(&opened)
	if opened.Token != "token of "+opened.ID || opened.Signalling != "wss://console.example:8443/console/signal" || !opened.Mine || opened.State != remote.Requested {
		t.Errorf("opened = %+v", opened)
	}
	spec := w.broker.asked()[0]
	ada, err := w.technicians.Technician(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if spec.Technician != (signalling.Technician{ID: ada.ID, Name: "ADA"}) || !slices.Equal(spec.Kinds, []string{"terminal", "files"}) || !spec.NotifyUser ||
		!slices.Equal(spec.Permissions, []string{"terminal.type", "files.read"}) || spec.Why != "ticket 4711" || spec.Transport != "turn_only" {
		t.Errorf("spec = %+v", spec)
	}
	for body, want := range map[string]kind{
		`{"endpoint":"pc-1","transport":"pigeon"}`:                        invalid,
		`{"endpoint":"pc-1","why":"` + strings.Repeat("x", 257) + `"}`:    invalid,
		`{"endpoint":"nowhere"}`:                                          unknownEndpoint,
		`{"endpoint":"pc-1","kinds":["root"]}`:                            notAllowed,
		`{"endpoint":"pc-1","technician":{"id":"tec_1","name":"eve"}}`:    invalid,
		`{"endpoint":"pc-1","consent":{"mode":"none"},"kinds":["files"]}`: invalid,
	} {
		b.post("sessions", body).want(want)
	}
	for _, tc := range []struct {
		err  error
		want kind
	}{
		{&remote.OfflineError{}, offline}, {&remote.LimitError{Of: "technician", Max: 1}, sessionLimit}, {remote.ErrUnavailable, busy}, {remote.ErrNoTURN, noWay},
		{endpoint.ErrDisabled, disabled}, {http.ErrAbortHandler, internal},
	} {
		w.broker.fail(tc.err)
		b.post("sessions", `{"endpoint":"pc-1"}`).want(tc.want)
	}
}

// TestSessionsNeedARole: nobody opens what no role of theirs allows there, and the audit knows who tried.
func TestSessionsNeedARole(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1", "lab")
	w.endpoint("pc-2", "attic")
	w.role(technician.Role{Name: "lab", Kinds: []string{"files"}, Permissions: []string{"files.read"}, Groups: []string{"lab"}})
	b := w.signedIn("ada", "lab", "viewer")
	for _, body := range []string{
		`{"endpoint":"pc-2"}`, `{"endpoint":"pc-2","kinds":["files"]}`, `{"endpoint":"pc-1","kinds":["terminal"]}`, `{"endpoint":"pc-1","permissions":["files.write"]}`,
	} {
		b.post("sessions", body).want(notAllowed)
	}
	if len(w.broker.asked()) > 0 {
		t.Errorf("opened %+v", w.broker.asked())
	}
	for _, id := range []string{"pc-1", "pc-2"} {
		if !w.trail.has("technician:ada", technician.ActionSessionRefused, id) {
			t.Errorf("the audit does not know that it was tried on %s", id)
		}
	}
	b.post("sessions", `{"endpoint":"pc-1"}`).ok(http.StatusCreated)
	if spec := w.broker.asked()[0]; !slices.Equal(spec.Permissions, []string{"files.read"}) {
		t.Errorf("opened with %v", spec.Permissions)
	}
	if _, err := w.directory.Update(t.Context(), endpoint.Key{Domain: domain, ID: "pc-1"}, endpoint.Patch{Enabled: new(bool)}); err != nil {
		t.Fatal(err)
	}
	b.post("sessions", `{"endpoint":"pc-1"}`).want(disabled)
}

// openOn has a browser open a session and returns its id.
func (b *browser) openOn(id string) string {
	b.w.t.Helper()
	var opened openedBody
	b.post("sessions", `{"endpoint":"`+id+`"}`).ok(http.StatusCreated).into(&opened)
	return opened.ID
}

// TestSessionsOfOthers are there for those who manage them on that endpoint alone.
func TestSessionsOfOthers(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1", "lab")
	w.endpoint("pc-2", "attic")
	w.role(technician.Role{Name: "boss", Groups: []string{"lab"}, Manages: true})
	ada, bob, eve, root := w.signedIn("ada", "operator"), w.signedIn("bob", "boss"), w.signedIn("eve", "operator"), w.signedIn("root", "admin")
	one, two := ada.openOn("pc-1"), ada.openOn("pc-2")
	for _, tc := range []struct {
		who  *browser
		want []string
	}{{ada, []string{two, one}}, {bob, []string{one}}, {eve, nil}, {root, []string{two, one}}} {
		ids, _ := tc.who.get("sessions").ids()
		if !slices.Equal(ids, tc.want) {
			t.Errorf("list = %v, want %v", ids, tc.want)
		}
		for _, id := range []string{one, two} {
			if slices.Contains(tc.want, id) {
				tc.who.get("sessions/" + id).ok(http.StatusOK)
			} else {
				tc.who.get("sessions/" + id).want(unknownSession)
				tc.who.do("DELETE", "sessions/"+id, `{}`).want(unknownSession)
			}
		}
	}
	for _, who := range []*browser{bob, eve, root} {
		who.post("sessions/"+one+"/credentials", `{}`).want(unknownSession) // a token is for whose session it is
	}
	ada.do("DELETE", "sessions/"+one, `{}`, guardHeader, "").want(forbiddenOrigin)
	bob.do("DELETE", "sessions/"+one, `{}`).ok(http.StatusOK)
	ada.do("DELETE", "sessions/"+two, `{}`).ok(http.StatusOK)
	if want := []string{"management_ended by bob", "technician_ended by ada"}; !slices.Equal(w.broker.ended, want) {
		t.Errorf("ended: %v, want %v", w.broker.ended, want)
	}
	if err := w.directory.Delete(t.Context(), endpoint.Key{Domain: domain, ID: "pc-1"}); err != nil {
		t.Fatal(err)
	}
	root.get("sessions/" + one).ok(http.StatusOK)
	bob.get("sessions/" + one).want(unknownSession)
}

func TestSessionPages(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1")
	w.endpoint("pc-2")
	b := w.signedIn("ada", "operator")
	one, two, three := b.openOn("pc-1"), b.openOn("pc-1"), b.openOn("pc-2")
	b.do("DELETE", "sessions/"+two, `{}`).ok(http.StatusOK)
	for query, want := range map[string][]string{
		"state=open": {three, one}, "state=ended": {two}, "endpoint=pc-2": {three}, "limit=2": {three, two}, "cursor=" + newCursor(two): {one},
	} {
		if ids, _ := b.get("sessions?" + query).ids(); !slices.Equal(ids, want) {
			t.Errorf("?%s: %v, want %v", query, ids, want)
		}
	}
	if _, next := b.get("sessions?limit=2").ids(); next != newCursor(two) {
		t.Errorf("next = %q", next)
	}
	for _, query := range []string{"state=active", "limit=0", "cursor=" + newCursor("x"), "technician=ada"} {
		b.get("sessions?" + query).want(invalid)
	}
	b.get("sessions/nonsense").want(unknownSession)
}

// TestRenew: a new token needs the right to the session as it is now.
func TestRenew(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1")
	b := w.signedIn("ada", "operator")
	id := b.openOn("pc-1")
	var renewed openedBody
	b.post("sessions/"+id+"/credentials", `{}`).ok(http.StatusOK).into(&renewed)
	if renewed.Token == "" || renewed.ID != id {
		t.Errorf("renewed = %+v", renewed)
	}
	if _, err := w.technicians.Change(t.Context(), "ada", technician.Patch{Roles: []string{"viewer"}}, "token:x"); err != nil {
		t.Fatal(err)
	}
	b.post("sessions/"+id+"/credentials", `{}`).want(notAllowed)
	if _, err := w.technicians.Change(t.Context(), "ada", technician.Patch{Roles: []string{"operator"}}, "token:x"); err != nil {
		t.Fatal(err)
	}
	b.do("DELETE", "sessions/"+id, `{}`).ok(http.StatusOK)
	b.post("sessions/"+id+"/credentials", `{}`).want(sessionEnded)
}
