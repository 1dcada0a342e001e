package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signalbox/internal/access"
	"signalbox/internal/access/technician"
)

// TestTechnicians: an account from its making to its end.
func TestTechnicians(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/technicians", `{"name":"ada","display_name":"Ada Lovelace","password":"correct horse battery","roles":["operator","viewer","operator"]}`).ok(http.StatusCreated)
	if !strings.HasPrefix(made.header.Get("Location"), "/v1/technicians/tec_") || strings.Contains(string(made.body), "horse") || strings.Contains(string(made.body), "argon2") {
		t.Errorf("made %s at %s", made.body, made.header.Get("Location"))
	}
	for _, path := range []string{made.header.Get("Location"), "/v1/technicians/ada"} {
		shown := w.do("GET", path, "").ok(http.StatusOK).json()
		if shown["name"] != "ada" || shown["display_name"] != "Ada Lovelace" || shown["enabled"] != true || shown["has_password"] != true {
			t.Errorf("%s = %v", path, shown)
		}
		if roles := shown["roles"].([]any); len(roles) != 2 || roles[0] != "operator" || roles[1] != "viewer" {
			t.Errorf("roles = %v", roles)
		}
	}
	link := w.do("POST", "/v1/technicians/ada/link", "").ok(http.StatusCreated).json()
	if url, _ := link["url"].(string); !strings.HasPrefix(url, "https://xmpp.example.test/console/#/signin/") || len(url) != len("https://xmpp.example.test/console/#/signin/")+43 {
		t.Errorf("link = %v", link)
	}
	changed := w.do("PATCH", "/v1/technicians/ada", `{"enabled":false,"password":"","roles":[],"display_name":""}`).ok(http.StatusOK).json()
	if changed["enabled"] != false || changed["has_password"] != false || len(changed["roles"].([]any)) != 0 || changed["display_name"] != nil {
		t.Errorf("changed = %v", changed)
	}
	w.do("POST", "/v1/technicians/ada/link", "").want(technicianDisabled)
	w.do("DELETE", "/v1/technicians/ada", "").ok(http.StatusNoContent)
	w.do("GET", "/v1/technicians/ada", "").want(unknownTechnician)
	w.do("PATCH", "/v1/technicians/ada", `{}`).want(unknownTechnician)
	w.do("DELETE", "/v1/technicians/ada", "").want(unknownTechnician)
	w.do("POST", "/v1/technicians/ada/link", "").want(unknownTechnician)
	want := []string{"created", "linked", "disabled", "deleted"}
	for i := range want {
		want[i] = "token:only admin technician." + want[i] + " ada"
	}
	if !slices.Equal(w.audited, want) {
		t.Errorf("audited %q, want %q", w.audited, want)
	}
}

func TestTechnicianMistakes(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/technicians", `{"name":"ada"}`).ok(http.StatusCreated)
	w.do("POST", "/v1/technicians", `{"name":"ada"}`).want(technicianExists, "/name")
	w.do("POST", "/v1/technicians", `{"name":"bob","roles":["desk"]}`).want(unknownRole, "/roles")
	w.do("PATCH", "/v1/technicians/ada", `{"roles":["desk"]}`).want(unknownRole, "/roles")
	w.do("POST", "/v1/technicians", `{"name":"tec_1"}`).want(validationFailed, "/name")
	w.do("POST", "/v1/technicians", `{"name":"B ob","display_name":" x","password":"short"}`).want(validationFailed, "/name", "/display_name", "/password")
	w.do("POST", "/v1/technicians", `{"name":"bob","password":""}`).want(validationFailed, "/password")
	w.do("PATCH", "/v1/technicians/ada", `{"password":"short"}`).want(validationFailed, "/password")
	w.do("POST", "/v1/technicians", `{"name":"bob","admin":true}`).want(validationFailed, "/admin")
	w.do("GET", "/v1/technicians?cursor=x", "").want(validationFailed, "cursor")
}

func TestTechnicianPages(t *testing.T) {
	w := newWorld(t, Default())
	for _, name := range []string{"c", "a", "b"} {
		w.do("POST", "/v1/technicians", `{"name":"`+name+`"}`).ok(http.StatusCreated)
	}
	var names []string
	for cursor := ""; ; {
		page := w.do("GET", "/v1/technicians?limit=2&cursor="+cursor, "").ok(http.StatusOK).json()
		for _, item := range page["items"].([]any) {
			names = append(names, item.(map[string]any)["name"].(string))
		}
		if cursor, _ = page["next"].(string); cursor == "" {
			break
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("listed %v", names)
	}
}

func TestRoles(t *testing.T) {
	w := newWorld(t, Default())
	made := w.do("POST", "/v1/roles", `{"name":"desk","kinds":["files","terminal"],"permissions":["files.read"],"groups":["b","a","b"],"labels":{"site":"paris"},"manages_sessions":true}`).ok(http.StatusCreated)
	shown := w.do("GET", made.header.Get("Location"), "").ok(http.StatusOK)
	if want := `"kinds":["terminal","files"],"permissions":["files.read"],"groups":["a","b"],"labels":{"site":"paris"},"manages_sessions":true`; !strings.Contains(string(shown.body), want) {
		t.Errorf("role = %s, want %s", shown.body, want)
	}
	changed := w.do("PATCH", "/v1/roles/desk", `{"kinds":["processes"]}`).ok(http.StatusOK)
	if want := `"kinds":["processes"],"permissions":["processes.read","processes.kill"],"groups":["a","b"]`; !strings.Contains(string(changed.body), want) {
		t.Errorf("role = %s, want %s", changed.body, want)
	}
	all := w.do("GET", "/v1/roles", "").ok(http.StatusOK).json()["items"].([]any)
	if len(all) != 4 || all[0].(map[string]any)["name"] != "viewer" || all[3].(map[string]any)["name"] != "desk" {
		t.Errorf("roles = %v", all)
	}
	w.do("POST", "/v1/roles", `{"name":"desk"}`).want(roleExists, "/name")
	w.do("POST", "/v1/roles", `{"name":"admin"}`).want(roleExists, "/name")
	w.do("POST", "/v1/roles", `{"name":"x","kinds":["files"],"permissions":["terminal.type"]}`).want(validationFailed, "/permissions")
	w.do("PATCH", "/v1/roles/admin", `{"kinds":[]}`).want(roleBuiltIn)
	w.do("DELETE", "/v1/roles/admin", "").want(roleBuiltIn)
	w.do("PATCH", "/v1/roles/none", `{}`).want(unknownRole)
	w.do("GET", "/v1/roles/none", "").want(unknownRole)
	w.do("POST", "/v1/technicians", `{"name":"ada","roles":["desk"]}`).ok(http.StatusCreated)
	w.do("DELETE", "/v1/roles/desk", "").want(roleUsed)
	w.do("DELETE", "/v1/technicians/ada", "").ok(http.StatusNoContent)
	w.do("DELETE", "/v1/roles/desk", "").ok(http.StatusNoContent)
	w.do("DELETE", "/v1/roles/desk", "").want(unknownRole)
}

// TestTechnicianScopes: accounts are for admin tokens, links for those that open sessions, too.
func TestTechnicianScopes(t *testing.T) {
	w := newWorld(t, Default())
	w.do("POST", "/v1/technicians", `{"name":"ada"}`).ok(http.StatusCreated)
	for _, scope := range access.Scopes() {
		for path, allowed := range map[string]bool{"/v1/technicians": scope == access.ScopeAdmin, "/v1/technicians/ada/link": scope == access.ScopeAdmin || scope == access.ScopeSessions, "/v1/roles": scope == access.ScopeAdmin} {
			a := w.send(request("POST", path, w.tokens[scope], `{"name":"x`+strings.ReplaceAll(string(scope), "_", "")+`"}`))
			if got := a.status == http.StatusCreated; got != allowed {
				t.Errorf("%s with %s: %d", path, scope, a.status)
			}
		}
	}
}

// technicianProblems makes each kind of problem of technicians and roles once.
func (w *world) technicianProblems() {
	w.t.Helper()
	w.do("GET", "/v1/technicians/nobody", "")
	w.do("GET", "/v1/roles/none", "")
	w.do("DELETE", "/v1/roles/admin", "")
	for i := range technician.MaxCustomRoles + 1 {
		w.do("POST", "/v1/roles", `{"name":"role`+strconv.Itoa(i)+`"}`)
	}
	w.do("POST", "/v1/roles", `{"name":"admin"}`)
	w.do("POST", "/v1/technicians", `{"name":"ada","roles":["role0"],"enabled":false}`).ok(http.StatusCreated)
	w.do("POST", "/v1/technicians", `{"name":"ada"}`)
	w.do("POST", "/v1/technicians/ada/link", "")
	w.do("DELETE", "/v1/roles/role0", "")
}
