package command

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const domain = "example.test"

// client is a session that only says who it is.
type client struct {
	feature.Client
	key endpoint.Key
}

func (c *client) Key() endpoint.Key { return c.key }

func newClient(id string) *client { return &client{key: endpoint.Key{Domain: domain, ID: id}} }

// world has two commands: greet asks for names first, count says at once how often it was run.
type world struct {
	t       *testing.T
	allowed map[string]bool
	set     *feature.Set
	ran     int
	filled  Values
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, allowed: map[string]bool{"admin": true, "deputy": true}}
	c := New(domain, func(k endpoint.Key) bool { return w.allowed[k.ID] },
		Command{Node: "greet", Name: "Greet <them>", Form: &Form{Type: "urn:greet", Title: "Greet", Fields: []Field{
			{Var: "names", Label: "Who & whom", Type: JIDs, Required: true}, {Var: "how", Type: OneOf, Options: []string{"hi", "ho"}},
		}}, Run: func(_ context.Context, _ endpoint.Key, filled Values) Result {
			w.ran++
			w.filled = filled
			if filled.First("how") == "rudely" {
				return Failed("they'd <mind>")
			}
			return Result{}
		}},
		Command{Node: "count", Name: "Count", Run: func(_ context.Context, who endpoint.Key, _ Values) Result {
			w.ran++
			return Result{Form: &Form{Type: "urn:count", Fields: []Field{{Var: "n", Type: Text, Values: []string{strconv.Itoa(w.ran) + who.ID}}}}}
		}},
	)
	w.set = feature.NewSet(nil, c.Feature())
	return w
}

func (w *world) ask(from *client, to feature.Entity, set bool, payload string) feature.Answer {
	w.t.Helper()
	st, err := scan.Parse([]byte(payload), scan.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.set.Answer(w.t.Context(), &feature.Query{Set: set, Payload: st.Element(), From: from, To: to, Account: from.key})
	if len(a.Payload) > 0 {
		if _, err := scan.Parse(a.Payload, scan.Limits{}); err != nil {
			w.t.Errorf("%s answers %s: %v", payload, a.Payload, err)
		}
	}
	return a
}

// run sends a command to the domain.
func (w *world) run(from *client, attributes, content string) feature.Answer {
	w.t.Helper()
	return w.ask(from, feature.Server, true, "<command xmlns='"+nsCommands+"' "+attributes+">"+content+"</command>")
}

var idOf = regexp.MustCompile(`sessionid='([^']{20,})'`)

// begin begins greet and returns the session's id.
func (w *world) begin(from *client) string {
	w.t.Helper()
	a := w.run(from, "node='greet' action='execute'", "")
	found := idOf.FindSubmatch(a.Payload)
	if a.Condition != "" || found == nil {
		w.t.Fatalf("greet begins with %s %s", a.Condition, a.Payload)
	}
	return string(found[1])
}

func submit(fields string) string { return "<x xmlns='jabber:x:data' type='submit'>" + fields + "</x>" }

func want(t *testing.T, a feature.Answer, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if a.Condition != "" || !strings.Contains(string(a.Payload), p) {
			t.Errorf("answer is %s %s %s, want %s", a.Condition, a.Detail, a.Payload, p)
		}
	}
}

func wantRefused(t *testing.T, a feature.Answer, condition stanza.Condition, detail trouble) {
	t.Helper()
	if a.Condition != condition || (detail != "") != strings.Contains(a.Detail, "<"+string(detail)+" xmlns='"+nsCommands+"'/>") {
		t.Errorf("answer is %s %s %s, want %s %s", a.Condition, a.Detail, a.Payload, condition, detail)
	}
}

func TestTwoStages(t *testing.T) {
	w := newWorld(t)
	admin := newClient("admin")
	a := w.run(admin, "node='greet' action='execute'", "")
	want(t, a, "status='executing'", "<actions execute='complete'><complete/></actions>", "<x xmlns='jabber:x:data' type='form'><title>Greet</title>",
		"<field var='FORM_TYPE' type='hidden'><value>urn:greet</value></field>", "<field var='names' type='jid-multi' label='Who &amp; whom'><required/></field>",
		"<option label='hi'><value>hi</value></option>")
	id := string(idOf.FindSubmatch(a.Payload)[1])
	a = w.run(admin, "node='greet' action='complete' xml:lang='de-CH' sessionid='"+id+"'",
		submit("<field var='FORM_TYPE'><value>urn:greet</value></field><field var='names'><value>a@b</value><value>c&amp;d</value></field><field var='other'><value>x</value></field>"))
	want(t, a, "<command xmlns='"+nsCommands+"' node='greet' sessionid='"+id+"' status='completed'></command>")
	if got := fmt.Sprint(w.filled); got != "map[names:[a@b c&d]]" || w.ran != 1 {
		t.Errorf("ran %d times with %s", w.ran, got)
	}
	wantRefused(t, w.run(admin, "node='greet' action='complete' sessionid='"+id+"'", submit("")), stanza.BadRequest, badSession)
}

func TestExecuteCompletesAndEmptyFormsCount(t *testing.T) {
	for name, content := range map[string]string{"no form": "", "an empty form": submit(""), "only the type": submit("<field var='FORM_TYPE'><value>urn:greet</value></field>")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			admin := newClient("admin")
			want(t, w.run(admin, "node='greet' sessionid='"+w.begin(admin)+"'", content), "status='completed'")
			if w.ran != 1 {
				t.Errorf("ran %d times", w.ran)
			}
		})
	}
}

func TestOneStage(t *testing.T) {
	w := newWorld(t)
	want(t, w.run(newClient("admin"), "node='count'", ""), "status='completed'><x xmlns='jabber:x:data' type='result'>", "<field var='n' type='text-single'><value>1admin</value></field>")
	want(t, w.ask(newClient("deputy"), feature.Own, true, "<command xmlns='"+nsCommands+"' node='count'/>"), "<value>2deputy</value>")
}

func TestFailureIsANote(t *testing.T) {
	w := newWorld(t)
	admin := newClient("admin")
	want(t, w.run(admin, "node='greet' action='complete' sessionid='"+w.begin(admin)+"'", submit("<field var='how'><value>rudely</value></field>")),
		"status='completed'><note type='error'>they'd &lt;mind&gt;</note>")
}

func TestCancel(t *testing.T) {
	for name, say := range map[string][2]string{
		"action":    {"action='cancel'", ""},
		"form":      {"action='complete'", "<x xmlns='jabber:x:data' type='cancel'/>"},
		"form, too": {"", "<x xmlns='jabber:x:data' type='cancel'/>"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			admin := newClient("admin")
			id := w.begin(admin)
			want(t, w.run(admin, "node='greet' sessionid='"+id+"' "+say[0], say[1]), "sessionid='"+id+"' status='canceled'")
			wantRefused(t, w.run(admin, "node='greet' action='cancel' sessionid='"+id+"'", ""), stanza.BadRequest, badSession)
			if w.ran != 0 {
				t.Error("a cancelled command ran")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	twice := "<field var='how'><value>hi</value></field>"
	tests := []struct {
		name, attributes, content string
		condition                 stanza.Condition
		detail                    trouble
	}{
		{"unknown node", "node='no'", "", stanza.ItemNotFound, ""},
		{"no node", "", "", stanza.ItemNotFound, ""},
		{"endless node", "node='" + strings.Repeat("x", 257) + "'", "", stanza.ItemNotFound, ""},
		{"unknown action", "node='greet' action='dance'", "", stanza.BadRequest, malformedAction},
		{"empty action", "node='greet' action=''", "", stanza.BadRequest, malformedAction},
		{"complete without a session", "node='greet' action='complete'", submit(""), stanza.BadRequest, badSession},
		{"cancel without a session", "node='count' action='cancel'", "", stanza.BadRequest, badSession},
		{"a session of a command without a form", "node='count' sessionid='$id'", "", stanza.BadRequest, badSession},
		{"next, where nothing comes next", "node='greet' action='next' sessionid='$id'", submit(""), stanza.BadRequest, badAction},
		{"back, where nothing was before", "node='greet' action='prev' sessionid='$id'", "", stanza.BadRequest, badAction},
		{"another session", "node='greet' sessionid='ABCDEFGHIJKLMNOPQRSTUVWXYZ'", submit(""), stanza.BadRequest, badSession},
		{"endless session", "node='greet' sessionid='" + strings.Repeat("x", 65) + "'", submit(""), stanza.BadRequest, badSession},
		{"no language", "node='greet' xml:lang='e n'", "", stanza.BadRequest, badLocale},
		{"a subtag that is too long", "node='greet' xml:lang='englishes'", "", stanza.BadRequest, badLocale},
		{"a language that ends nowhere", "node='greet' xml:lang='en-'", "", stanza.BadRequest, badLocale},
		{"an endless language", "node='greet' xml:lang='" + strings.Repeat("en-", 30) + "us'", "", stanza.BadRequest, badLocale},
		{"a form of another kind", "node='greet' sessionid='$id'", "<x xmlns='jabber:x:data' type='result'/>", stanza.BadRequest, badPayload},
		{"a form without a kind", "node='greet' sessionid='$id'", "<x xmlns='jabber:x:data'/>", stanza.BadRequest, badPayload},
		{"another's form", "node='greet' sessionid='$id'", submit("<field var='FORM_TYPE'><value>urn:other</value></field>"), stanza.BadRequest, badPayload},
		{"two types", "node='greet' sessionid='$id'", submit("<field var='FORM_TYPE'><value>urn:greet</value><value>urn:x</value></field>"), stanza.BadRequest, badPayload},
		{"a field twice", "node='greet' sessionid='$id'", submit(twice + twice), stanza.BadRequest, badPayload},
		{"two values for one", "node='greet' sessionid='$id'", submit("<field var='how'><value>hi</value><value>ho</value></field>"), stanza.BadRequest, badPayload},
		{"too many values", "node='greet' sessionid='$id'", submit("<field var='names'>" + strings.Repeat("<value/>", 1001) + "</field>"), stanza.BadRequest, badPayload},
		{"too many fields", "node='greet' sessionid='$id'", submit(strings.Repeat("<field var='x'/>", 101)), stanza.BadRequest, badPayload},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			admin := newClient("admin")
			id := w.begin(admin)
			wantRefused(t, w.run(admin, strings.ReplaceAll(tt.attributes, "$id", id), tt.content), tt.condition, tt.detail)
			if w.ran != 0 {
				t.Error("it ran all the same")
			}
			want(t, w.run(admin, "node='greet' action='complete' sessionid='"+id+"'", submit("")), "status='completed'") // the session stays
		})
	}
}

// Attack row 37: nobody runs what is not theirs to run, at no stage, by no id of another's.
func TestAttack37(t *testing.T) {
	w := newWorld(t)
	admin, second, deputy, user := newClient("admin"), newClient("admin"), newClient("deputy"), newClient("user")
	id := w.begin(admin)
	finish := "node='greet' action='complete' sessionid='" + id + "'"
	for _, attributes := range []string{"node='greet'", "node='count'", "node='no'", finish, "node='greet' action='cancel' sessionid='" + id + "'"} {
		wantRefused(t, w.run(user, attributes, submit("")), stanza.Forbidden, "")
	}
	wantRefused(t, w.run(deputy, finish, submit("")), stanza.BadRequest, badSession)
	wantRefused(t, w.run(deputy, "node='greet' action='cancel' sessionid='"+id+"'", ""), stanza.BadRequest, badSession)
	wantRefused(t, w.run(second, finish, submit("")), stanza.BadRequest, badSession) // another session of the same account
	w.allowed["admin"] = false
	wantRefused(t, w.run(admin, finish, submit("")), stanza.Forbidden, "")
	if w.ran != 0 {
		t.Errorf("ran %d times", w.ran)
	}
	w.allowed["admin"] = true
	want(t, w.run(admin, finish, submit("")), "status='completed'")
}

func TestCommandsOfAnotherAccountAreNotThere(t *testing.T) {
	w := newWorld(t)
	a := w.ask(newClient("admin"), feature.Another, true, "<command xmlns='"+nsCommands+"' node='count'/>")
	wantRefused(t, a, stanza.ServiceUnavailable, "")
}

func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		admin := newClient("admin")
		intime, late, forgotten := w.begin(admin), w.begin(admin), w.begin(admin)
		time.Sleep(sessionLife)
		want(t, w.run(admin, "node='greet' sessionid='"+intime+"'", submit("")), "status='completed'")
		time.Sleep(time.Second)
		wantRefused(t, w.run(admin, "node='greet' sessionid='"+late+"'", submit("")), stanza.NotAllowed, sessionExpired)
		time.Sleep(rememberedLate)
		w.begin(newClient("deputy"))
		wantRefused(t, w.run(admin, "node='greet' sessionid='"+forgotten+"'", submit("")), stanza.BadRequest, badSession)
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		admin := newClient("admin")
		first := w.begin(admin)
		time.Sleep(time.Second)
		second := w.begin(admin)
		for range maxOfAccount - 1 {
			time.Sleep(time.Second)
			w.begin(admin)
		}
		wantRefused(t, w.run(admin, "node='greet' sessionid='"+first+"'", submit("")), stanza.BadRequest, badSession)
		want(t, w.run(admin, "node='greet' sessionid='"+second+"'", submit("")), "status='completed'")
	})
	w := newWorld(t)
	for i := range maxSessions {
		id := "admin-" + strconv.Itoa(i)
		w.allowed[id] = true
		w.begin(newClient(id))
	}
	wantRefused(t, w.run(newClient("admin"), "node='greet'", ""), stanza.ResourceConstraint, "")
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	admin, user := newClient("admin"), newClient("user")
	items, info := "<query xmlns='http://jabber.org/protocol/disco#items' node='"+nsCommands+"'/>", "<query xmlns='http://jabber.org/protocol/disco#info' node='%s'/>"
	want(t, w.ask(admin, feature.Server, false, items), "node='"+nsCommands+"'><item jid='example.test' node='greet' name='Greet &lt;them&gt;'/><item jid='example.test' node='count' name='Count'/></query>")
	want(t, w.ask(admin, feature.Own, false, items), "<item jid='admin@example.test' node='greet' ")
	for _, to := range []feature.Entity{feature.Server, feature.Own} {
		want(t, w.ask(user, to, false, items), "node='"+nsCommands+"'/>")
	}
	want(t, w.ask(user, feature.Server, false, fmt.Sprintf(info, nsCommands)), "<identity category='automation' type='command-list' name='Commands'/>")
	want(t, w.ask(admin, feature.Own, false, fmt.Sprintf(info, "greet")), "<identity category='automation' type='command-node' name='Greet &lt;them&gt;'/>", "<feature var='jabber:x:data'/>")
	wantRefused(t, w.ask(user, feature.Own, false, fmt.Sprintf(info, "greet")), stanza.ItemNotFound, "")
	wantRefused(t, w.ask(admin, feature.Another, false, fmt.Sprintf(info, "greet")), stanza.ServiceUnavailable, "")
	if a := w.ask(admin, feature.Another, false, items); strings.Contains(string(a.Payload), "<item ") {
		t.Errorf("another's account lists %s", a.Payload)
	}
}

// TestFill: what is filled in elsewhere than in a stanza is taken by the same rules.
func TestFill(t *testing.T) {
	f := &Form{Fields: []Field{{Var: "names", Type: JIDs}, {Var: "how", Type: OneOf}}}
	for _, tt := range []struct {
		name  string
		given map[string][]string
		want  string // empty: refused
	}{
		{"nothing", nil, "map[]"},
		{"one and several", map[string][]string{"names": {"a", "b"}, "how": {"hi"}}, "map[how:[hi] names:[a b]]"},
		{"a field that the form does not have", map[string][]string{"colour": {"red", "blue"}}, "map[]"},
		{"two of one", map[string][]string{"how": {"hi", "ho"}}, ""},
		{"too many", map[string][]string{"names": make([]string, maxValues+1)}, ""},
	} {
		filled, ok := f.Fill(tt.given)
		if ok != (tt.want != "") || ok && fmt.Sprint(map[string][]string(filled)) != tt.want {
			t.Errorf("%s: Fill = %v, %v, want %s", tt.name, filled, ok, tt.want)
		}
	}
}
