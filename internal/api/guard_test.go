package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"

	"signalbox/internal/access"
	"signalbox/internal/access/enrolment"
	"signalbox/internal/campaign"
	"signalbox/internal/events/webhook"
	"signalbox/internal/push"
	"signalbox/internal/remote"
	"signalbox/internal/turnsession"
)

// routes lists what needs a token, with the one scope that opens it.
func routes() []struct {
	method, path, body string
	scope              access.Scope
} {
	return []struct {
		method, path, body string
		scope              access.Scope
	}{
		{"POST", "/v1/endpoints", `{"id":"pc-1"}`, access.ScopeEndpoints},
		{"GET", "/v1/endpoints", "", access.ScopeRead},
		{"GET", "/v1/endpoints/pc-1", "", access.ScopeRead},
		{"PATCH", "/v1/endpoints/pc-1", `{}`, access.ScopeEndpoints},
		{"DELETE", "/v1/endpoints/pc-1", "", access.ScopeEndpoints},
		{"GET", "/v1/endpoints/pc-1/presence", "", access.ScopeRead},
		{"POST", "/v1/endpoints/batch", `{"endpoints":[{"id":"pc-1"}]}`, access.ScopeEndpoints},
		{"GET", "/v1/endpoints/pc-1/diagnosis", "", access.ScopeRead},
		{"GET", "/v1/endpoints/pc-1/timeline", "", access.ScopeRead},
		{"POST", "/v1/endpoints/pc-1/disconnect", "", access.ScopeEndpoints},
		{"POST", "/v1/endpoints/pc-1/probe", "", access.ScopeRead},
		{"POST", "/v1/presence/query", `{"ids":["pc-1"]}`, access.ScopeRead},
		{"GET", "/v1/presence/snapshot", "", access.ScopeRead},
		{"POST", "/v1/endpoints/pc-1/secret", "", access.ScopeEndpoints},
		{"POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, access.ScopePush},
		{"POST", "/v1/pushes/batch", `{"items":[{"to":"pc-1","type":"a"}]}`, access.ScopePush},
		{"GET", "/v1/pushes", "", access.ScopeRead},
		{"GET", "/v1/pushes/psh_0", "", access.ScopeRead},
		{"DELETE", "/v1/pushes/psh_0", "", access.ScopePush},
		{"GET", "/v1/pushes/psh_0/deliveries", "", access.ScopeRead},
		{"POST", "/v1/campaigns", `{"name":"n","push":{"to":["pc-1"],"type":"a"}}`, access.ScopePush},
		{"GET", "/v1/campaigns", "", access.ScopeRead},
		{"GET", "/v1/campaigns/cmp_0", "", access.ScopeRead},
		{"POST", "/v1/campaigns/cmp_0/pause", "", access.ScopePush},
		{"POST", "/v1/campaigns/cmp_0/resume", "", access.ScopePush},
		{"POST", "/v1/campaigns/cmp_0/abort", "", access.ScopePush},
		{"GET", "/v1/pushes/psh_0/explain", "", access.ScopeRead},
		{"POST", "/v1/tokens", `{"name":"n","scopes":["read"]}`, access.ScopeAdmin},
		{"GET", "/v1/tokens", "", access.ScopeAdmin},
		{"DELETE", "/v1/tokens/tok_0", "", access.ScopeAdmin},
		{"POST", "/v1/enrolments", `{"endpoint":"pc-1"}`, access.ScopeEndpoints},
		{"GET", "/v1/enrolments", "", access.ScopeEndpoints},
		{"DELETE", "/v1/enrolments/enr_0", "", access.ScopeEndpoints},
		{"POST", "/v1/technicians", `{"name":"ada"}`, access.ScopeAdmin},
		{"GET", "/v1/technicians", "", access.ScopeAdmin},
		{"GET", "/v1/technicians/ada", "", access.ScopeAdmin},
		{"PATCH", "/v1/technicians/ada", `{}`, access.ScopeAdmin},
		{"DELETE", "/v1/technicians/ada", "", access.ScopeAdmin},
		{"POST", "/v1/technicians/ada/link", "", access.ScopeSessions},
		{"POST", "/v1/roles", `{"name":"desk"}`, access.ScopeAdmin},
		{"GET", "/v1/roles", "", access.ScopeAdmin},
		{"GET", "/v1/roles/desk", "", access.ScopeAdmin},
		{"PATCH", "/v1/roles/desk", `{}`, access.ScopeAdmin},
		{"DELETE", "/v1/roles/desk", "", access.ScopeAdmin},
		{"GET", "/v1/certs", "", access.ScopeRead},
		{"GET", "/v1/events?limit=1", "", access.ScopeRead},
		{"GET", "/v1/doctor", "", access.ScopeRead},
		{"POST", "/v1/webhooks", `{"url":"https://203.0.113.1/"}`, access.ScopeAdmin},
		{"GET", "/v1/webhooks", "", access.ScopeAdmin},
		{"GET", "/v1/webhooks/whk_0", "", access.ScopeAdmin},
		{"PATCH", "/v1/webhooks/whk_0", `{}`, access.ScopeAdmin},
		{"DELETE", "/v1/webhooks/whk_0", "", access.ScopeAdmin},
		{"POST", "/v1/webhooks/whk_0/test", "", access.ScopeAdmin},
		{"GET", "/v1/webhooks/whk_0/deliveries", "", access.ScopeAdmin},
		{"POST", "/v1/webhooks/whk_0/replay", `{"failed":true}`, access.ScopeAdmin},
		{"POST", "/v1/turn/sessions", `{"ttl":60}`, access.ScopeSessions},
		{"GET", "/v1/turn/sessions", "", access.ScopeSessions},
		{"GET", "/v1/turn/sessions/trn_0", "", access.ScopeSessions},
		{"POST", "/v1/turn/sessions/trn_0/credentials", "", access.ScopeSessions},
		{"DELETE", "/v1/turn/sessions/trn_0", "", access.ScopeSessions},
		{"POST", "/v1/sessions", `{"endpoint":"pc-1","technician":{"id":"ann"},"kinds":["terminal"]}`, access.ScopeSessions},
		{"GET", "/v1/sessions", "", access.ScopeSessions},
		{"GET", "/v1/sessions/ses_0", "", access.ScopeSessions},
		{"PATCH", "/v1/sessions/ses_0", `{}`, access.ScopeSessions},
		{"POST", "/v1/sessions/ses_0/credentials", "", access.ScopeSessions},
		{"DELETE", "/v1/sessions/ses_0", "", access.ScopeSessions},
		{"GET", "/v1/audit", "", access.ScopeAdmin},
		{"POST", "/v1/drain", `{"period":60}`, access.ScopeAdmin},
		{"GET", "/v1/drain", "", access.ScopeRead},
		{"DELETE", "/v1/drain", "", access.ScopeAdmin},
	}
}

func TestAuthorization(t *testing.T) {
	w := newWorld(t, Default())
	for _, rt := range routes() {
		t.Run(rt.method+" "+rt.path, func(t *testing.T) {
			w.t = t
			a := w.send(request(rt.method, rt.path, "", rt.body))
			a.want(missingToken)
			if got := a.header.Get("WWW-Authenticate"); got != `Bearer realm="signalbox"` {
				t.Errorf("WWW-Authenticate = %q", got)
			}
			for _, credentials := range []string{"Bearer sbx_" + strings.Repeat("A", 43), "Bearer nonsense", "Bearer", "Bearer ", "Basic dTpw", w.tokens[rt.scope]} {
				a := w.send(request(rt.method, rt.path, "", rt.body, "Authorization", credentials))
				a.want(invalidToken)
				if !strings.Contains(a.header.Get("WWW-Authenticate"), "error=") {
					t.Errorf("WWW-Authenticate = %q", a.header.Get("WWW-Authenticate"))
				}
			}
			for scope, token := range w.tokens {
				a := w.send(request(rt.method, rt.path, token, rt.body))
				if scope == rt.scope || scope == access.ScopeAdmin {
					if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
						t.Errorf("scope %s is refused: %s", scope, a.body)
					}
					continue
				}
				if p := a.want(insufficientScope); !strings.Contains(p.Detail, string(rt.scope)) {
					t.Errorf("detail %q does not name scope %s", p.Detail, rt.scope)
				}
			}
			w.send(request(rt.method, rt.path+"?"+w.tokens[rt.scope], w.tokens[rt.scope], rt.body)).want(tokenInQuery)
			w.send(request(rt.method, rt.path+"?Access_Token="+w.tokens[rt.scope], w.tokens[rt.scope], rt.body)).want(tokenInQuery)
		})
	}
	two := request("GET", "/v1/certs", w.tokens["read"], "")
	two.Header.Add("Authorization", "Bearer x")
	w.t = t
	w.send(two).want(invalidToken)
	w.send(request("GET", "/v1/certs", "", "", "Authorization", "bEARER "+w.tokens["read"])).ok(http.StatusOK)
}

func TestEveryRouteIsInTheTable(t *testing.T) {
	w := newWorld(t, Default())
	tested := map[string]bool{}
	for _, rt := range routes() {
		tested[rt.method+" "+w.srv.template(request(rt.method, rt.path, "", ""))] = true
	}
	for path, item := range w.srv.api.OpenAPI().Paths {
		for method := range map[string]bool{"GET": true, "POST": true, "PATCH": true, "DELETE": true} {
			op := operation(w.srv.api.OpenAPI(), method, path)
			if op == nil {
				continue
			}
			if (op.Security != nil) != tested[method+" "+path] {
				t.Errorf("%s %s: in the table of routes with tokens %v, documented as such %v", method, path, tested[method+" "+path], op.Security != nil)
			}
		}
		_ = item
	}
}

func TestOpenPaths(t *testing.T) {
	w := newWorld(t, Default())
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/version", "/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css", "/problems/queue-full"} {
		a := w.send(request("GET", path, "", "")).ok(http.StatusOK)
		if len(a.body) == 0 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d bytes, header %v", path, len(a.body), a.header)
		}
		w.send(request("HEAD", path, "", "")).ok(http.StatusOK)
	}
}

func TestUnroutedRequests(t *testing.T) {
	w := newWorld(t, Default())
	for _, tt := range []struct {
		method, path, allow string
		kind                kind
	}{
		{"GET", "/", "", notFound},
		{"GET", "/v1/nothing", "", notFound},
		{"GET", "/problems/nothing", "", notFound},
		{"PUT", "/v1/endpoints", "GET, HEAD, POST", methodNotAllowed},
		{"OPTIONS", "/v1/endpoints/pc-1", "GET, HEAD, PATCH, DELETE", methodNotAllowed},
		{"TRACE", "/livez", "GET, HEAD", methodNotAllowed},
		{"OPTIONS", "*", "GET, HEAD, POST, PATCH, DELETE", methodNotAllowed},
		{"PRI", "*", "", notFound},
		{"BREW", "/v1/pushes", "GET, HEAD, POST", methodNotAllowed},
		{"GET", "/v1//endpoints", "", badRequest},
		{"GET", "/v1/endpoints/", "", badRequest},
		{"GET", "/v1/../livez", "", badRequest},
	} {
		t.Run(tt.method+tt.path, func(t *testing.T) {
			w.t = t
			a := w.do(tt.method, tt.path, "")
			a.want(tt.kind)
			if got := a.header.Get("Allow"); got != tt.allow {
				t.Errorf("Allow = %q, want %q", got, tt.allow)
			}
		})
	}
}

func TestAllowFrom(t *testing.T) {
	w := newWorld(t, Config{AllowFrom: []string{"10.0.0.0/8", "2001:db8::1", "127.0.0.1", "::ffff:172.16.0.0/108"}})
	for remote, allowed := range map[string]bool{
		"10.1.2.3:1": true, "172.16.9.9:1": true, "172.32.0.1:1": false, "[::ffff:10.1.2.3]:1": true, "[2001:db8::1]:9": true, "127.0.0.1:1": true,
		"11.0.0.1:1": false, "[2001:db8::2]:9": false, "nonsense": false, "[::1]:1": false,
	} {
		r := request("GET", "/v1/endpoints", w.tokens["read"], "")
		r.RemoteAddr = remote
		a := w.send(r)
		if !allowed {
			a.want(sourceNotAllowed)
		} else {
			a.ok(http.StatusOK)
		}
	}
	for _, path := range []string{"/readyz", "/metrics", "/docs", "/nothing", "/v1/pushes?token=x"} {
		w.send(request("GET", path, "", "")).want(sourceNotAllowed)
	}
	w.send(request("GET", "/livez", "", "")).ok(http.StatusOK)
}

func TestPanicTellsNothing(t *testing.T) {
	w := pushWorld(t)
	w.store.panics.Store(true)
	a := w.do("GET", "/v1/endpoints/pc-1", "")
	a.want(internalError)
	if strings.Contains(string(a.body), "secret-in-a-panic") {
		t.Errorf("answer %s has the panic's value", a.body)
	}
	if n := w.logs.FilterMessage("handler panicked").Len(); n != 1 {
		t.Errorf("%d lines about the panic", n)
	}
}

func TestTooManyRequests(t *testing.T) {
	w := newWorld(t, Default())
	for range cap(w.srv.slots) {
		w.srv.slots <- struct{}{}
	}
	a := w.do("GET", "/v1/endpoints", "")
	a.want(busy)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		w.do("GET", path, "").ok(http.StatusOK)
	}
	for range cap(w.srv.probes) {
		w.srv.probes <- struct{}{}
	}
	w.do("GET", "/readyz", "").want(busy)
	w.do("GET", "/livez", "").ok(http.StatusOK)
	<-w.srv.slots
	w.do("GET", "/v1/endpoints", "").ok(http.StatusOK)
	w.do("GET", "/v1/endpoints", "").ok(http.StatusOK)
}

func TestReadiness(t *testing.T) {
	w := newWorld(t, Default())
	w.health.checks = []Check{{Name: "store", OK: true}, {Name: "certs", Reason: "expired"}}
	got := w.send(request("GET", "/readyz", "", "")).ok(http.StatusServiceUnavailable).json()
	want := map[string]any{"ready": false, "checks": []any{
		map[string]any{"name": "store", "ok": true}, map[string]any{"name": "certs", "ok": false, "reason": "expired"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readiness (-want +got):\n%s", diff)
	}
}

func TestLabelsAreBounded(t *testing.T) {
	w := newWorld(t, Default())
	count := func() int {
		families, err := w.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range families {
			n += len(f.Metric)
		}
		return n
	}
	hit := func(i int) {
		name := fmt.Sprintf("x%d", i)
		for _, r := range []*http.Request{
			request("GET", "/"+name, "", ""), request("M"+strings.ToUpper(name), "/livez", "", ""),
			request("GET", "/v1/endpoints/"+name, w.tokens["read"], ""), request("GET", "/v1/pushes/"+name, "Bearer"+name, ""),
		} {
			w.send(r)
		}
	}
	hit(0)
	before := count()
	for i := range 2500 {
		hit(i)
	}
	if after := count(); after != before {
		t.Errorf("%d series after 10,000 different requests, %d before", after, before)
	}
}

func TestSecretsStayOutOfLogsAndErrors(t *testing.T) {
	const secret = "hunter2-hunter2"
	w := newWorld(t, Default())
	admin := w.tokens[access.ScopeAdmin]
	broken := error(errors.New("disk on fire"))
	var bodies []string
	try := func(method, target, body string, headers ...string) {
		bodies = append(bodies, string(w.do(method, target, body, headers...).body))
	}
	try("POST", "/v1/endpoints", `{"id":"pc-1","secret":"`+secret+`"}`)
	try("POST", "/v1/endpoints", `{"id":"pc-1","secret":"`+secret+`"}`)
	try("POST", "/v1/endpoints", `{"id":"pc-2","secret":["`+secret+`"]}`)
	try("POST", "/v1/endpoints", `{"id":"`+secret+` ","secret":"`+secret+` "}`)
	try("POST", "/v1/endpoints", `{"secret":"`+secret+`",}`)
	try("POST", "/v1/tokens", `{"name":"`+secret+"\\n"+`","scopes":["`+secret+`"]}`)
	try("POST", "/v1/pushes", `{"to":"pc-1","type":"`+secret+` !","priority":"`+secret+`","payload":"`+secret+`"}`)
	try("POST", "/v1/pushes", `{"to":"pc-1","type":"a"}`, "TTL", secret, "Urgency", secret, "Idempotency-Key", secret+"\u00e9")
	try("GET", "/v1/endpoints?limit="+secret, "")
	try("GET", "/v1/endpoints?cursor="+secret, "")
	try("GET", "/v1/endpoints?token="+secret, "")
	try("GET", "/v1/pushes/"+secret, "")
	try("GET", "/"+secret, "")
	w.store.accept.Store(&broken)
	try("POST", "/v1/pushes", `{"to":"pc-1","type":"a","payload":"`+secret+`"}`)
	for _, body := range bodies {
		if strings.Contains(body, secret) {
			t.Errorf("answer %s echoes what was sent", body)
		}
	}
	for _, e := range w.logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, secret) || strings.Contains(line, admin) {
			t.Errorf("log line %q has a secret", line)
		}
	}
	if w.logs.FilterLevelExact(zapcore.DebugLevel).FilterMessage("request").Len() < len(bodies) {
		t.Error("requests are not logged")
	}
}

// TestEveryProblemIsReachable makes each kind once; one that no request can cause has no place in the catalogue.
func TestEveryProblemIsReachable(t *testing.T) {
	w := newWorld(t, Config{AllowFrom: []string{"192.0.2.0/24"}})
	const push1 = `{"to":"pc-1","type":"a"}`
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`)
	w.do("POST", "/v1/endpoints", `{"id":"pc-1"}`)
	w.do("POST", "/v1/endpoints", `{`)
	w.do("POST", "/v1/endpoints", `{}`)
	w.do("POST", "/v1/endpoints", `{}`, "Content-Type", "text/plain")
	w.do("POST", "/v1/endpoints", strings.Repeat(" ", maxBodyBytes+1))
	w.do("GET", "/v1//", "")
	w.do("GET", "/nothing", "")
	w.do("PUT", "/livez", "")
	w.do("GET", "/livez?token=x", "")
	w.send(request("GET", "/v1/certs", "", ""))
	w.send(request("GET", "/v1/certs", "x", ""))
	w.send(request("GET", "/v1/certs", w.tokens["push"], ""))
	w.do("GET", "/v1/endpoints/pc-9", "")
	w.do("GET", "/v1/pushes/psh_0", "")
	w.do("GET", "/v1/events?after=4711", "")
	w.do("DELETE", "/v1/tokens/tok_0", "")
	w.do("POST", "/v1/tokens", `{"name":"n","scopes":["read"]}`).ok(http.StatusCreated)
	w.do("POST", "/v1/tokens", `{"name":"n","scopes":["read"]}`)
	w.technicianProblems()
	made := w.do("POST", "/v1/pushes", push1, "Idempotency-Key", "k").ok(http.StatusAccepted)
	w.do("POST", "/v1/pushes", `{"to":"pc-1","type":"b"}`, "Idempotency-Key", "k")
	w.do("POST", "/v1/pushes", `{"to":{"group":"nobody"},"type":"a"}`)
	w.do("DELETE", made.header.Get("Location"), "")
	w.do("DELETE", made.header.Get("Location"), "")
	slow := request("POST", "/v1/pushes", w.tokens["push"], push1)
	slow.Body = slowBody{}
	w.send(slow)
	far := request("GET", "/version", "", "")
	far.RemoteAddr = "203.0.113.1:1"
	w.send(far)
	for _, err := range []error{push.ErrQueueFull, push.ErrBusy, push.ErrNoSpace, push.ErrKeyBusy, errors.New("broken")} {
		w.store.accept.Store(&err)
		w.do("POST", "/v1/pushes", push1)
	}
	w.store.accept.Store(nil)
	late := push.ErrLateFull
	w.store.first.Store(&late)
	w.do("POST", "/v1/pushes", `{"to":{"group":"nobody"},"type":"a","late_joiners":true}`)
	w.do("GET", "/v1/campaigns/cmp_0", "")
	const later = `{"name":"n","push":{"to":["pc-1"],"type":"a"},"start":"2099-01-01T00:00:00Z"}`
	campaign1 := w.do("POST", "/v1/campaigns", later).ok(http.StatusCreated).header.Get("Location")
	w.do("POST", campaign1+"/resume", "")
	for range campaign.MaxActive {
		w.do("POST", "/v1/campaigns", later)
	}
	w.do("PATCH", "/v1/endpoints/pc-1", `{"enabled":false}`)
	w.do("POST", "/v1/pushes", push1)
	w.do("GET", "/v1/webhooks/whk_0", "")
	w.do("DELETE", "/v1/webhooks/management", "")
	off := w.do("POST", "/v1/webhooks", `{"url":"https://203.0.113.1/","enabled":false}`).ok(http.StatusCreated)
	w.do("POST", off.header.Get("Location")+"/replay", `{"failed":true}`)
	for range webhook.MaxWebhooks {
		w.do("POST", "/v1/webhooks", `{"url":"https://203.0.113.1/"}`)
	}
	w.do("GET", "/v1/turn/sessions/trn_0", "")
	turn := w.openTURN("{}")
	w.do("DELETE", turn, "").ok(http.StatusOK)
	w.do("POST", turn+"/credentials", "")
	for _, err := range []error{turnsession.ErrOff, turnsession.ErrTooMany, turnsession.ErrUnavailable} {
		w.turn.fail(err)
		w.do("POST", "/v1/turn/sessions", "")
	}
	w.do("GET", "/v1/sessions/ses_0", "")
	w.do("POST", "/v1/sessions", someSession).ok(http.StatusCreated)
	w.do("DELETE", "/v1/sessions/ses_0000000000001", "").ok(http.StatusOK)
	w.do("PATCH", "/v1/sessions/ses_0000000000001", `{}`)
	for _, err := range []error{&remote.OfflineError{}, &remote.LimitError{}} {
		w.sessions.fail(err)
		w.do("POST", "/v1/sessions", someSession)
	}
	w.do("DELETE", "/v1/enrolments/enr_0", "")
	full := enrolment.ErrTooMany
	w.store.enrol.Store(&full)
	w.do("POST", "/v1/enrolments", "")
	w.drainer.stopping = true
	w.do("DELETE", "/v1/drain", "")
	for _, k := range catalogue() {
		if !w.seen[k.code] {
			t.Errorf("no request of this test is answered with %s", k.code)
		}
		delete(w.seen, k.code)
	}
	if len(w.seen) > 0 {
		t.Errorf("not in the catalogue: %v", w.seen)
	}
}
