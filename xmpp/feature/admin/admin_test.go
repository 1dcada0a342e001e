package admin

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/zap"
	"mellium.im/xmpp/disco"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

func jids(list ...string) []string { return append([]string{"accountjids"}, list...) }

func newUser(jid, secret, again string) [][]string {
	return [][]string{{"accountjid", jid}, {"password", secret}, {"password-verify", again}}
}

// enabled reports whether there is such an account and whether it is enabled.
func (w *world) enabled(id string) (exists, enabled bool) {
	w.t.Helper()
	r, err := w.accounts.Endpoint(w.t.Context(), key(id))
	if err != nil && !errors.Is(err, endpoint.ErrUnknown) {
		w.t.Fatal(err)
	}
	return err == nil, r.Enabled
}

func (w *world) wantAccount(id string, exists, enabled bool) {
	w.t.Helper()
	if e, on := w.enabled(id); e != exists || on != enabled {
		w.t.Errorf("%s exists %v, is enabled %v; want %v, %v", id, e, on, exists, enabled)
	}
}

func TestAddUser(t *testing.T) {
	w := newWorld(t, "pc-1")
	want(t, w.run("add-user", newUser("New-aB3x9@example.test", "s3cret", "s3cret")...), "status='completed'></command>")
	w.wantAccount("new-ab3x9", true, true)
	tests := []struct{ name, jid, secret, again, why string }{
		{"passwords differ", "pc-2@example.test", "s3cret", "s3cret2", "the two differ"},
		{"no password", "pc-2@example.test", "", "", "it is empty"},
		{"a password that clients prepare in several ways", "pc-2@example.test", "sécret", "sécret", "not printable ASCII"},
		{"a short password", "pc-2@example.test", "short", "short", "5 bytes"},
		{"another domain", "pc-2@elsewhere.test", "s3cret", "s3cret", "not an account of this server"},
		{"no JID", "pc-2@invalid@domain", "s3cret", "s3cret", "it is no JID"},
		{"the domain", "example.test", "s3cret", "s3cret", "not an account of this server"},
		{"nothing", "", "s3cret", "s3cret", "no account was named"},
		{"an id that endpoints cannot have", "pc!2@example.test", "s3cret", "s3cret", "invalid endpoint id"},
		{"one that is there", "PC-1@example.test", "s3cret", "s3cret", "exists already"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want(t, w.run("add-user", newUser(tt.jid, tt.secret, tt.again)...), failed, tt.why)
		})
	}
	w.wantAccount("pc-2", false, false)
	want(t, w.run("add-user"), failed)
}

func TestDeleteUser(t *testing.T) {
	w := newWorld(t, "pc-1", "pc-2", "pc-3")
	s := w.bind("pc-1", "a", true)
	want(t, w.run("delete-user", jids("pc-1@example.test", "PC-2@example.test/phone", "pc-1@example.test", "PC-1@example.test")), done)
	w.wantAccount("pc-1", false, false)
	w.wantAccount("pc-2", false, false)
	if got := s.reason(); got != "endpoint_deleted" {
		t.Errorf("session ended as %q", got)
	}
	want(t, w.run("delete-user", jids("ghost@example.test", "pc-3@example.test", "pc-3@elsewhere.test")), failed,
		"ghost@example.test: unknown endpoint", "pc-3@elsewhere.test: not an account of this server", "!pc-3@example.test")
	w.wantAccount("pc-3", false, false) // what can be done is done
	want(t, w.run("delete-user"), failed, "no account was named")
}

func TestDisableAndEnable(t *testing.T) {
	w := newWorld(t, "pc-1")
	one, two := w.bind("pc-1", "a", true), w.bind("pc-1", "b", false)
	want(t, w.run("disable-user", jids("pc-1@example.test")), done)
	w.wantAccount("pc-1", true, false)
	if one.reason() != "endpoint_disabled" || two.reason() != "endpoint_disabled" {
		t.Errorf("sessions ended as %q, %q", one.reason(), two.reason())
	}
	want(t, w.run("reenable-user", jids("pc-1@example.test")), done)
	w.wantAccount("pc-1", true, true)
	for _, name := range []string{"disable-user", "reenable-user"} {
		want(t, w.run(name, jids("ghost@example.test")), failed, "ghost@example.test: unknown endpoint")
		want(t, w.run(name, jids("pc-1@elsewhere.test")), failed)
	}
}

func TestEndUserSession(t *testing.T) {
	w := newWorld(t, "pc-1", "pc-2")
	a, b, c := w.bind("pc-1", "a", true), w.bind("pc-1", "b", true), w.bind("pc-2", "c", true)
	want(t, w.run("end-user-session", jids("pc-1@example.test/a")), done)
	if a.reason() != "disconnected" || b.reason() != "" {
		t.Errorf("full JID: ended %q, the other %q", a.reason(), b.reason())
	}
	d := w.bind("pc-1", "d", true)
	want(t, w.run("end-user-session", jids("pc-1@example.test", "pc-2@example.test")), done)
	for _, s := range []*session{b, c, d} {
		if s.reason() != "disconnected" {
			t.Errorf("%s ended as %q", s.JID(), s.reason())
		}
	}
	want(t, w.run("end-user-session", jids("pc-1@example.test", "pc-1@example.test/a")), failed, "pc-1@example.test: no such session", "pc-1@example.test/a: no such session")
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t, "pc-1")
	s := w.bind("pc-1", "a", true)
	want(t, w.run("change-user-password", []string{"accountjid", "pc-1@example.test"}, []string{"password", "an0ther"}), done)
	if got := s.reason(); got != "secret_changed" {
		t.Errorf("session ended as %q", got)
	}
	for _, tt := range [][2]string{{"ghost@example.test", "an0ther"}, {"pc-1@example.test", ""}, {"pc-1@example.test", "short"}} {
		want(t, w.run("change-user-password", []string{"accountjid", tt[0]}, []string{"password", tt[1]}), failed)
	}
}

func TestOneAccount(t *testing.T) {
	w := newWorld(t, "pc-1", "pc-2")
	w.bind("pc-1", "a<b", true)
	want(t, w.run("get-user-lastlogin", jids("pc-1@example.test")), done, "<field var='lastlogin' type='text-single'", "<value>2026-01-02T03:04:05Z</value>", "<value>pc-1@example.test</value>")
	want(t, w.run("get-user-lastlogin", jids("pc-2@example.test")), done, "<value>never</value>")
	want(t, w.run("user-stats", jids("pc-1@example.test")), done, "<value>192.0.2.7</value>", "<value>a&lt;b</value>")
	want(t, w.run("get-user-roster", jids("pc-1@example.test")), done, "<query xmlns='jabber:iq:roster'><item jid='a@b'/></query></x>")
	for _, name := range []string{"get-user-lastlogin", "user-stats", "get-user-roster"} {
		want(t, w.run(name, jids("ghost@example.test")), failed, "unknown endpoint")
		want(t, w.run(name, jids("pc-1@elsewhere.test")), failed)
		want(t, w.run(name, jids("pc-1@example.test", "pc-2@example.test")), failed, "name one account")
		want(t, w.run(name), failed, "name one account")
	}
}

// TestCountsAndLists: pc-1 is available, pc-2 is connected, pc-3 lost its connection, pc-4 is disabled, pc-5 is not there.
func TestCountsAndLists(t *testing.T) {
	w := newWorld(t, "pc-1", "pc-2", "pc-3", "pc-4", "pc-5")
	w.bind("pc-1", "a", true)
	w.bind("pc-1", "b", false)
	w.bind("pc-2", "a", false)
	lost := w.bind("pc-3", "a", true)
	w.registry.Suspend(lost.key, lost, 0, endpoint.ReasonConnectionLost)
	want(t, w.run("disable-user", jids("pc-4@example.test")), done)
	tests := []struct {
		num, many, list, jids string
		ids                   []string
	}{
		{"get-registered-users-num", "registeredusersnum", "get-registered-users-list", "registereduserjids", []string{"admin", "pc-1", "pc-2", "pc-3", "pc-4", "pc-5"}},
		{"get-disabled-users-num", "disabledusersnum", "get-disabled-users-list", "disableduserjids", []string{"pc-4"}},
		{"get-online-users-num", "onlineusersnum", "get-online-users-list", "onlineuserjids", []string{"admin", "pc-1", "pc-2"}},
		{"get-active-users-num", "activeusersnum", "get-active-users", "activeuserjids", []string{"admin", "pc-1"}},
		{"get-idle-users-num", "idleusersnum", "get-idle-users", "idleuserjids", []string{"pc-2"}},
	}
	value := regexp.MustCompile(`<value>([^<]*)</value>`)
	for _, tt := range tests {
		t.Run(tt.num, func(t *testing.T) {
			want(t, w.run(tt.num), fmt.Sprintf("<field var='%s' type='text-single' label='", tt.many), fmt.Sprintf("<value>%d</value>", len(tt.ids)))
			for _, fields := range [][][]string{nil, {{"max_items", "none"}}, {{"max_items", "25"}}} {
				got := w.run(tt.list, fields...)
				want(t, got, done, "<field var='"+tt.jids+"' type='jid-multi' ")
				var ids []string
				for _, m := range value.FindAllStringSubmatch(got, -1)[1:] {
					ids = append(ids, strings.TrimSuffix(m[1], "@example.test"))
				}
				if fmt.Sprint(ids) != fmt.Sprint(tt.ids) {
					t.Errorf("lists %v, want %v", ids, tt.ids)
				}
			}
		})
	}
	want(t, w.run("get-registered-users-list", []string{"max_items", "2"}), done, "<note type='info'>the first 2 of 6</note>", "pc-1@", "!pc-2@")
	for _, bad := range []string{"0", "-1", "many"} {
		want(t, w.run("get-registered-users-list", []string{"max_items", bad}), failed)
	}
}

func TestListsAreBounded(t *testing.T) {
	all := make([]string, maxListed+1)
	r := show("all", "x", all, maxListed)
	if n := len(r.Form.Fields[0].Values); n != maxListed || r.Note != "the first 1000 of 1001" {
		t.Errorf("shows %d, says %q", n, r.Note)
	}
	if n, ok := limit("5000"); n != maxListed || !ok {
		t.Errorf("limit(5000) = %d, %v", n, ok)
	}
}

func TestAnnounce(t *testing.T) {
	w := newWorld(t, "pc-1", "pc-2", "pc-3")
	a, b, away, lost := w.bind("pc-1", "a<", true), w.bind("pc-1", "b", true), w.bind("pc-2", "a", false), w.bind("pc-3", "a", true)
	w.registry.Suspend(lost.key, lost, 0, endpoint.ReasonConnectionLost)
	want(t, w.run("announce", []string{"subject", "it &amp; you"}, []string{"announcement", "one", "two &lt;3"}), done, "3 sessions got it")
	for _, s := range []*session{a, b, w.admin} {
		if len(s.got) != 1 {
			t.Fatalf("%s got %q", s.JID(), s.got)
		}
		if _, err := scan.Parse([]byte(s.got[0]), scan.Limits{}); err != nil {
			t.Error(err)
		}
		want(t, s.got[0], "<message type='headline' from='example.test' id='", "<subject>it &amp; you</subject><body>one\ntwo &lt;3</body></message>")
	}
	want(t, a.got[0], "to='pc-1@example.test/a&lt;'")
	if len(away.got)+len(lost.got) > 0 {
		t.Errorf("sessions that take nothing got %q, %q", away.got, lost.got)
	}
	want(t, w.run("announce"), failed, "is empty")
	want(t, w.run("announce", []string{"announcement", " ", ""}), failed, "is empty")
	want(t, w.run("announce", []string{"announcement", strings.Repeat("x", maxAnnouncementBytes+1)}), failed, "at most")
	want(t, w.run("announce", []string{"subject", strings.Repeat("x", maxSubjectBytes+1)}, []string{"announcement", "x"}), failed, "at most")
}

// nodes returns the commands that a client finds.
func (w *world) nodes(from *session) (list []string) {
	w.t.Helper()
	st, err := scan.Parse([]byte("<query xmlns='"+disco.NSItems+"' node='http://jabber.org/protocol/commands'/>"), scan.Limits{})
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.set.Answer(w.t.Context(), &feature.Query{Payload: st.Element(), From: from, To: feature.Own, Account: from.key})
	if a.Condition != "" {
		w.t.Fatalf("the list of commands is refused: %s", a.Condition)
	}
	for _, m := range regexp.MustCompile(`node='([^']*admin#[^']*)'`).FindAllSubmatch(a.Payload, -1) {
		list = append(list, string(m[1]))
	}
	return list
}

// Attack row 37: whatever there is to run, others than administrators find nothing and run nothing.
func TestAttack37EveryCommandAsUser(t *testing.T) {
	w := newWorld(t, "pc-1")
	user, foreign := w.bind("pc-1", "a", true), &session{registry: w.registry, key: endpoint.Key{Domain: "elsewhere.test", ID: "admin"}, resource: "x"}
	all := w.nodes(w.admin)
	if len(all) != 20 {
		t.Errorf("%d commands: %v", len(all), all)
	}
	for _, from := range []*session{user, foreign} {
		if got := w.nodes(from); got != nil {
			t.Errorf("%s finds %v", from.JID(), got)
		}
		for _, node := range all {
			begun := w.send(w.admin, "node='"+node+"'", "")
			stolen := idOf.FindSubmatch(begun.Payload)[1]
			for _, attributes := range []string{"", " action='execute'", fmt.Sprintf(" sessionid='%s'", stolen), fmt.Sprintf(" action='complete' sessionid='%s'", stolen), fmt.Sprintf(" action='cancel' sessionid='%s'", stolen)} {
				form := "<x xmlns='jabber:x:data' type='submit'><field var='accountjids'><value>admin@example.test</value></field></x>"
				if a := w.send(from, "node='"+node+"'"+attributes, form); a.Condition != stanza.Forbidden || len(a.Payload) > 0 {
					t.Errorf("%s as %s answers %s %s", node+attributes, from.JID(), a.Condition, a.Payload)
				}
			}
		}
	}
	w.wantAccount("admin", true, true)
}

func TestManagedRostersAreNotShown(t *testing.T) {
	w := newWorld(t)
	w.set = feature.NewSet(nil, Commands(domain, []string{"admin"}, Deps{Directory: w.accounts, Registry: w.registry}, zap.NewNop()))
	for _, node := range w.nodes(w.admin) {
		if strings.HasSuffix(node, "get-user-roster") {
			t.Error("it is offered")
		}
	}
}

// TestAudit: who did what is in the log, secrets are not.
func TestAudit(t *testing.T) {
	w := newWorld(t)
	w.run("add-user", newUser("pc-1@example.test", "s3cret-xyz", "s3cret-xyz")...)
	w.run("delete-user", jids("pc-1@example.test", "ghost@example.test"))
	w.run("get-online-users-num")
	var got []string
	for _, e := range w.logs.All() {
		f := e.ContextMap()
		got = append(got, fmt.Sprint(e.Level, " ", f["endpoint"], " ", f["command"], " ", f["target"]))
	}
	want := "[info admin@example.test add-user pc-1@example.test info admin@example.test delete-user pc-1@example.test]"
	if fmt.Sprint(got) != want {
		t.Errorf("log is %v, want %s", got, want)
	}
	if strings.Contains(fmt.Sprint(w.logs.All()), "s3cret") {
		t.Error("a secret is in the log")
	}
}

// TestStoreFails: what is the server's fault says so, to the administrator and in the log, and ends a long list.
func TestStoreFails(t *testing.T) {
	w := newWorld(t, "pc-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.ctx = ctx
	for _, got := range []string{
		w.run("add-user", newUser("pc-2@example.test", "s3cret", "s3cret")...), w.run("get-registered-users-num"), w.run("get-registered-users-list"), w.run("get-user-lastlogin", jids("pc-1@example.test")),
	} {
		want(t, got, failed, "see its log")
	}
	want(t, w.run("delete-user", jids("pc-1@example.test")), failed, "takes too long")
	if n := w.logs.FilterMessage("an administrator's command failed").Len(); n != 4 {
		t.Errorf("%d lines in the log, want 4", n)
	}
}
