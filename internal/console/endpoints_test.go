package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/access/technician"
	"signalbox/internal/endpoint"
)

// role makes a role.
func (w *world) role(r technician.Role) {
	w.t.Helper()
	if _, err := w.technicians.CreateRole(w.t.Context(), r, "token:x"); err != nil {
		w.t.Fatal(err)
	}
}

// TestEndpointsOfOthersAreNotThere: who may not see an endpoint learns nothing of it, by whatever path.
func TestEndpointsOfOthersAreNotThere(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1", "lab")
	w.endpoint("pc-2", "attic")
	w.role(technician.Role{Name: "lab", Kinds: []string{"terminal"}, Groups: []string{"lab"}})
	b := w.signedIn("ada", "lab")
	if ids, _ := b.get("endpoints").ids(); !slices.Equal(ids, []string{"pc-1"}) {
		t.Errorf("list = %v", ids)
	}
	if ids, _ := b.get("endpoints?group=attic").ids(); len(ids) > 0 {
		t.Errorf("list of another group = %v", ids)
	}
	b.get("endpoints/pc-1").ok(http.StatusOK)
	for _, id := range []string{"pc-2", "nowhere", "..%2Fpc-1", "PC-1"} {
		for _, path := range []string{"", "/timeline", "/diagnosis"} {
			b.get("endpoints/" + id + path).want(unknownEndpoint)
		}
		b.post("endpoints/"+id+"/probe", `{}`).want(unknownEndpoint)
	}
	for _, id := range []string{"pc-2", "nowhere"} {
		b.post("sessions", `{"endpoint":"`+id+`"}`).want(unknownEndpoint)
		if !w.trail.has("technician:ada", technician.ActionSessionRefused, id) {
			t.Errorf("the audit does not know that it was tried on %s", id)
		}
	}
	if none := w.signedIn("nobody"); len(w.broker.asked()) == 0 {
		if ids, _ := none.get("endpoints").ids(); len(ids) > 0 {
			t.Errorf("without a role the list is %v", ids)
		}
	}
}

func TestEndpoint(t *testing.T) {
	w := newWorld(t)
	k := w.endpoint("pc-1", "lab")
	b := w.signedIn("ada", "operator")
	var e endpointBody
	b.get("endpoints/pc-1").ok(http.StatusOK).into(&e)
	if e.JID != "pc-1@"+domain || e.Presence.State != endpoint.StateNever || !e.Access.Open || !slices.Contains(e.Access.Permissions, "terminal.type") {
		t.Errorf("endpoint = %+v", e)
	}
	w.bind(k, &session{})
	b.get("endpoints/pc-1").ok(http.StatusOK).into(&e)
	if e.Presence.State != endpoint.StateOnline || e.Presence.RemoteAddr != "192.0.2.9:4711" {
		t.Errorf("online it is %+v", e.Presence)
	}
	var viewed endpointBody
	w.signedIn("eve", "viewer").get("endpoints/pc-1").ok(http.StatusOK).into(&viewed)
	if viewed.Access.Open || len(viewed.Access.Kinds) > 0 {
		t.Errorf("a viewer may %+v", viewed.Access)
	}
	if said := b.get("endpoints/pc-1/diagnosis").ok(http.StatusOK); string(said.body) != `{"code":"never_seen","id":"pc-1"}`+"\n" {
		t.Errorf("diagnosis = %s", said.body)
	}
	var probed probeBody
	b.post("endpoints/pc-1/probe", `{}`).ok(http.StatusOK).into(&probed)
	if probed.State != endpoint.ProbeOnline || probed.RTT <= 0 || probed.Presence.State != endpoint.StateOnline {
		t.Errorf("probe = %+v", probed)
	}
}

func TestTimeline(t *testing.T) {
	w := newWorld(t)
	w.endpoint("pc-1")
	b := w.signedIn("ada", "viewer")
	var page timelineBody
	b.get("endpoints/pc-1/timeline?limit=7").ok(http.StatusOK).into(&page)
	if len(page.Items) != 1 || page.Items[0].Count != 7 || page.Next == "" {
		t.Fatalf("timeline = %+v", page)
	}
	b.get("endpoints/pc-1/timeline?cursor=" + page.Next).ok(http.StatusOK).into(&page)
	if page.Items[0].Summary != "pc-1 came onlinebehind" {
		t.Errorf("the next page begins at %q", page.Items[0].Summary)
	}
	for _, query := range []string{"limit=0", "limit=501", "limit=x", "cursor=x", "cursor=k1", "cursor=" + newCursor("bad"), "other=1"} {
		b.get("endpoints/pc-1/timeline?" + query).want(invalid)
	}
}

func TestEndpointList(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.endpoint(fmt.Sprint("pc-", i), []string{"even", "odd"}[i%2], "all")
	}
	w.bind(endpoint.Key{Domain: domain, ID: "pc-3"}, &session{})
	b := w.signedIn("ada", "viewer")
	for query, want := range map[string]string{
		"":                                    "pc-0 pc-1 pc-2 pc-3 pc-4 pc-5",
		"q=PC-3":                              "pc-3",
		"q=of+pc-4":                           "pc-4",
		"q=od":                                "pc-1 pc-3 pc-5",
		"q=nothing":                           "",
		"group=even":                          "pc-0 pc-2 pc-4",
		"group=all&group=odd":                 "pc-1 pc-3 pc-5",
		"group=even&group=odd":                "",
		"label=site%3DSite+of+pc-2":           "pc-2",
		"label=site%3Dx":                      "",
		"group=odd&q=3":                       "pc-3",
		"limit=2":                             "pc-0 pc-1 +",
		"limit=2&cursor=" + newCursor("pc-3"): "pc-4 pc-5",
		"limit=1&group=odd":                   "pc-1 +",
	} {
		ids, next := b.get("endpoints?" + query).ids()
		got := strings.Join(ids, " ")
		if next != "" {
			got += " +"
		}
		if got != want {
			t.Errorf("?%s: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"limit=0", "state=up", "label=x", "label=%3Dx", "cursor=abc", "color=red", strings.Repeat("group=a&", 9), "q=" + strings.Repeat("x", 300)} {
		b.get("endpoints?" + query).want(invalid)
	}
}

// TestEndpointListIsBounded: a search through very many answers with what it has found so far, and goes on.
func TestEndpointListIsBounded(t *testing.T) {
	w := newWorld(t)
	secret, err := endpoint.NewSecret("long-enough")
	if err != nil {
		t.Fatal(err)
	}
	var all []endpoint.Saving
	for i := range maxScan + 1 {
		e := endpoint.Endpoint{Key: endpoint.Key{Domain: domain, ID: fmt.Sprintf("pc-%05d", i)}, Enabled: true}
		all = append(all, endpoint.Saving{Endpoint: e, Secret: secret})
	}
	if _, err := w.store.SaveEndpoints(t.Context(), all, endpoint.OnExisting(0)); err != nil {
		t.Fatal(err)
	}
	b := w.signedIn("ada", "viewer")
	last := fmt.Sprintf("pc-%05d", maxScan)
	ids, next := b.get("endpoints?q=" + last).ids()
	if len(ids) > 0 || next == "" {
		t.Fatalf("first answer %v, next %q", ids, next)
	}
	if ids, next = b.get("endpoints?q=" + last + "&cursor=" + url.QueryEscape(next)).ids(); !slices.Equal(ids, []string{last}) || next != "" {
		t.Errorf("second answer %v, next %q", ids, next)
	}
}
