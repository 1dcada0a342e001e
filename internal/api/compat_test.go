package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// otherAPI answers what it was asked.
type otherAPI struct{}

func (otherAPI) Route(*http.Request) string { return "/rest/some/{thing}" }

func (otherAPI) Serve(w http.ResponseWriter, r *http.Request, caller func(string)) {
	caller("tok_1")
	fmt.Fprint(w, r.Method, " ", r.URL.Path)
}

// TestCompat: paths of another server's API have its rules for keys and slashes and ours for addresses, load, metrics and logs.
func TestCompat(t *testing.T) {
	w := newWorld(t, Default())
	const path = "/rest/some/thing/?api-key=secret-key"
	w.do("GET", path, "").want(tokenInQuery)
	w.do("GET", "/rest/some/thing", "").want(notFound)

	w.srv.deps.Compat = otherAPI{}
	w.logs.TakeAll()
	for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
		if a := w.do(method, path, ""); a.status != http.StatusOK || string(a.body) != method+" /rest/some/thing/" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %v", method, a.status, a.body, a.header)
		}
	}
	w.do("GET", "/restful?api-key=x", "").want(tokenInQuery)
	w.do("GET", "/v1/endpoints?api-key=x", "").want(tokenInQuery)
	logged := ""
	for _, e := range w.logs.All() {
		logged += fmt.Sprintln(e.Message, e.ContextMap())
	}
	if strings.Contains(logged, "secret-key") || strings.Contains(logged, "/thing/") || strings.Count(logged, "path:/rest/some/{thing}") != 4 || strings.Count(logged, "tok_1") != 4 {
		t.Errorf("logged:\n%s", logged)
	}

	for range maxConcurrent {
		w.srv.slots <- struct{}{}
	}
	w.do("GET", path, "").want(busy)
	cfg := Default()
	cfg.AllowFrom = []string{"192.0.2.1"}
	strict := newWorld(t, cfg)
	strict.srv.deps.Compat = otherAPI{}
	strict.do("GET", path, "").want(sourceNotAllowed)
}
