package tests

import (
	"encoding/base64"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"signalbox/internal/config"
	"signalbox/tests/harness"
)

func tigase(c *config.Config) { c.API.TigaseCompat = true }

// restRequest is a request as a management server that was written for Tigase sends it.
type restRequest struct {
	name   string
	method string // empty: POST
	path   string
	header http.Header
	body   string

	status int
	answer string // a part of the body
}

func (r restRequest) do(t *testing.T, s *harness.Server) {
	t.Helper()
	method := r.method
	if method == "" {
		method = http.MethodPost
	}
	fill := strings.NewReplacer("DOMAIN", harness.Domain, "KEY", s.Token)
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+fill.Replace(r.path), strings.NewReader(fill.Replace(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range r.header {
		for _, v := range values {
			req.Header.Add(name, fill.Replace(v))
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != r.status || !strings.Contains(string(text), fill.Replace(r.answer)) {
		t.Errorf("%s %s: %d %s\nwant %d with %s", method, r.path, resp.StatusCode, text, r.status, r.answer)
	}
}

const asJSON, asXML = "application/json", "application/xml"

func typed(media string) http.Header { return http.Header{"Content-Type": {media}, "Api-Key": {"KEY"}} }

func TestTigaseBadRequests(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, tigase)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret"}`, 201)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-off","secret":"s3cret","enabled":false}`, 201)
	const to = ` to="pc-1@DOMAIN"`
	large := strings.Repeat("x", 64<<10)
	for _, r := range []restRequest{
		{name: "two stanzas", body: "<message" + to + "/><message" + to + "/>", status: 400, answer: "more than one element"},
		{name: "text behind", body: "<message" + to + "/>x", status: 400},
		{name: "nothing", body: "", status: 400, answer: "no XML"},
		{name: "JSON", body: `{"to":"pc-1"}`, status: 400},
		{name: "document type", body: `<!DOCTYPE m [<!ENTITY e "x">]><message` + to + `><body>&e;</body></message>`, status: 400, answer: "restricted-xml"},
		{name: "entity", body: "<message" + to + "><body>&e;</body></message>", status: 400},
		{name: "processing instruction", body: "<message" + to + "><?php?></message>", status: 400, answer: "restricted-xml"},
		{name: "comment", body: "<message" + to + "><!-- x --></message>", status: 400, answer: "restricted-xml"},
		{name: "cut", body: "<message" + to + "><body>", status: 400, answer: "incomplete"},
		{name: "not well-formed", body: "<message" + to + "><body></message>", status: 400, answer: "not-well-formed"},
		{name: "no UTF-8", body: "<message" + to + "><body>\xff</body></message>", status: 400},
		{name: "another encoding", body: `<?xml version="1.0" encoding="ISO-8859-1"?><message` + to + `/>`, status: 400, answer: "UTF-8"},
		{name: "XML declaration without end", body: `<?xml version="1.0"`, status: 400},
		{name: "no stanza", body: "<push" + to + "/>", status: 400, answer: "no iq, message or presence"},
		{name: "of a component's namespace", body: "<message xmlns='jabber:component:accept'" + to + "/>", status: 400},
		{name: "stream inside", body: "<message" + to + "><stream:error/></message>", status: 400},
		{name: "foreign from", body: "<message from='boss@DOMAIN'" + to + "/>", status: 403, answer: "leave the attribute from out"},
		{name: "from of another domain", body: "<message from='other.test'" + to + "/>", status: 403},
		{name: "no to", body: "<message/>", status: 400, answer: "attribute to"},
		{name: "to another domain", body: "<message to='pc-1@other.test'/>", status: 404},
		{name: "to nobody", body: "<message to='pc-9@DOMAIN'/>", status: 404, answer: "no such user"},
		{name: "to a name that cannot be", body: "<message to='pc 1@DOMAIN'/>", status: 404, answer: "No user can have this name"},
		{name: "to the Kelvin sign", body: "<message to='\u212a@DOMAIN'/>", status: 404, answer: "No user can have this name"},
		{name: "to the server", body: "<message to='DOMAIN'/>", status: 404},
		{name: "to one that is disabled", body: "<message to='pc-off@DOMAIN'/>", status: 409},
		{name: "id like one of ours", body: "<message id='psh_0123456789abc'" + to + "/>", status: 400, answer: "looks like one"},
		{name: "id too long", body: "<message id='" + strings.Repeat("i", 1024) + "'" + to + "/>", status: 400},
		{name: "id with a line break", body: "<message id='a&#10;b'" + to + "/>", status: 400},
		{name: "large message", body: "<message" + to + "><body>" + large + "</body></message>", status: 413},
		{name: "1 MB", body: "<message" + to + "><body>" + strings.Repeat(large, 16) + "</body></message>", status: 413, answer: "131072"},
		{name: "deep", body: "<message" + to + ">" + strings.Repeat("<a>", 64) + strings.Repeat("</a>", 64) + "</message>", status: 400},
		{name: "compressed", header: http.Header{"Content-Encoding": {"gzip"}}, body: "x", status: 415},
		{name: "iq without type", body: "<iq id='1'" + to + "><a xmlns='b'/></iq>", status: 400, answer: "type get or set"},
		{name: "iq that answers", body: "<iq type='result' id='1'" + to + "/>", status: 400},
		{name: "iq with two children", body: "<iq type='get' id='1'" + to + "><a xmlns='b'/><a xmlns='b'/></iq>", status: 400},
		{name: "presence to nobody", body: "<presence" + to + "/>", status: 404, answer: "not kept"},
		{name: "another method", method: "GET", path: "/rest/stream", status: 405},
		{name: "another path", path: "/rest/nothing", status: 404},
		{name: "root", method: "GET", path: "/rest/", status: 404},
		{name: "two Idempotency-Keys", header: http.Header{"Idempotency-Key": {"a", "b"}}, body: "<message" + to + "/>", status: 400},
		{name: "user of another domain", method: "GET", path: "/rest/user/pc-1@other.test", status: 404},
		{name: "domain as user", method: "GET", path: "/rest/user/DOMAIN", status: 404},
		{name: "unknown user", method: "GET", path: "/rest/user/pc-9@DOMAIN", status: 404},
		{name: "unknown user changed", path: "/rest/user/pc-9@DOMAIN", body: "<user><password>s3cret</password></user>", status: 404},
		{name: "unknown user deleted", method: "DELETE", path: "/rest/user/pc-9@DOMAIN", status: 404},
		{name: "user exists", method: "PUT", path: "/rest/user/pc-1@DOMAIN", body: "<user><password>s3cret</password></user>", status: 409},
		{name: "no password", method: "PUT", path: "/rest/user/pc-2@DOMAIN", body: "<user><email>a@b</email></user>", status: 400},
		{name: "short password", method: "PUT", path: "/rest/user/pc-2@DOMAIN", body: "<user><password>abc</password></user>", status: 400, answer: "6 to 1024"},
		{name: "password that is a list", method: "PUT", path: "/rest/user/pc-2@DOMAIN", header: typed(asJSON), body: `{"user":{"password":["s3cret"]}}`, status: 400},
		{name: "administrator", method: "PUT", path: "/rest/user/pc-2@DOMAIN", header: typed(asJSON), body: `{"user":{"password":"s3cret","isAdmin":true}}`, status: 400,
			answer: "xmpp.admins"},
		{name: "another element", method: "PUT", path: "/rest/user/pc-2@DOMAIN", body: "<account/>", status: 400},
		{name: "JSON that is none", method: "PUT", path: "/rest/user/pc-2@DOMAIN", header: typed(asJSON), body: "{", status: 400},
		{name: "JSON user that is no object", method: "PUT", path: "/rest/user/pc-2@DOMAIN", header: typed(asJSON), body: `{"user":1}`, status: 400},
		{name: "another media type", method: "PUT", path: "/rest/user/pc-2@DOMAIN", header: typed("text/csv"), body: "a,b", status: 415},
		{name: "id that cannot be", method: "PUT", path: "/rest/user/a%20b@DOMAIN", body: "<user><password>s3cret</password></user>", status: 404},
		{name: "email too long", method: "PUT", path: "/rest/user/pc-2@DOMAIN", body: "<user><password>s3cret</password><email>" + strings.Repeat("e", 129) + "</email></user>", status: 400},
		{name: "users of another domain", method: "GET", path: "/rest/users/other.test", status: 404},
		{name: "commands elsewhere", method: "GET", path: "/rest/adhoc/vhost-man@DOMAIN", status: 404, answer: "sess-man@DOMAIN"},
		{name: "unknown command", path: "/rest/adhoc/DOMAIN", body: "<command><node>no</node></command>", status: 404},
		{name: "fields that are none", path: "/rest/adhoc/DOMAIN", header: typed(asJSON), body: `{"command":{"node":"add-user","fields":"x"}}`, status: 400},
		{name: "field without var", path: "/rest/adhoc/DOMAIN", header: typed(asJSON), body: `{"command":{"node":"add-user","fields":[{"value":"x"}]}}`, status: 400},
		{name: "field twice", path: "/rest/adhoc/DOMAIN", header: typed(asJSON), body: `{"command":{"node":"add-user","fields":[{"var":"a"},{"var":"a"}]}}`, status: 400},
		{name: "value that is an object", path: "/rest/adhoc/DOMAIN", header: typed(asJSON), body: `{"command":{"node":"add-user","fields":[{"var":"a","value":{}}]}}`, status: 400},
	} {
		t.Run(r.name, func(t *testing.T) {
			if r.path == "" {
				r.path = "/rest/stream/"
			}
			h := r.header.Clone()
			if h == nil {
				h = http.Header{}
			}
			h.Set("Api-Key", "KEY")
			r.header = h
			r.do(t, s)
		})
	}
	_, text := s.Call(t, "GET", "/v1/pushes", "", 200)
	if text != `{"items":[]}` {
		t.Errorf("something was queued: %s", text)
	}
}

func TestTigaseKeys(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, tigase)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret"}`, 201)
	keys := map[string]string{}
	for _, scope := range []string{"push", "read", "endpoints"} {
		_, text := s.Call(t, "POST", "/v1/tokens", `{"name":"`+scope+`","scopes":["`+scope+`"]}`, 201)
		keys[scope] = text[strings.Index(text, "sbx_"):][:47]
	}
	basic := func(key string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("admin@x:"+key)) }
	const message, user = "<message to='pc-1@DOMAIN'/>", "/rest/user/pc-1@DOMAIN"
	command := func(name string) string { return "<command><node>" + name + "</node></command>" }
	for _, r := range []restRequest{
		{name: "no key", path: "/rest/stream", body: message, status: 403, answer: "Api-Key"},
		{name: "wrong key", path: "/rest/stream?api-key=x", body: message, status: 403, answer: "not valid"},
		{name: "empty key", path: "/rest/stream?api-key=", body: message, status: 403},
		{name: "two keys", path: "/rest/stream?api-key=KEY&api-key=KEY", body: message, status: 403},
		{name: "in the URL", path: "/rest/stream/?api-key=KEY", body: message, status: 200},
		{name: "in the URL beside an administrator", path: "/rest/stream/?api-key=KEY", header: http.Header{"Authorization": {basic("password")}}, body: message, status: 200},
		{name: "a wrong one in the URL beside a good one", path: "/rest/stream/?api-key=x", header: http.Header{"Authorization": {"Bearer KEY"}}, body: message, status: 403},
		{name: "in a header", path: "/rest/stream", header: http.Header{"Api-Key": {"KEY"}}, body: message, status: 200},
		{name: "bearer", path: "/rest/stream", header: http.Header{"Authorization": {"Bearer KEY"}}, body: message, status: 200},
		{name: "basic", path: "/rest/stream", header: http.Header{"Authorization": {basic(s.Token)}}, body: message, status: 200},
		{name: "basic with a password", path: "/rest/stream", header: http.Header{"Authorization": {basic("secret")}}, body: message, status: 403},
		{name: "push may post", path: "/rest/stream?api-key=" + keys["push"], body: message, status: 200},
		{name: "push may not read", method: "GET", path: user + "?api-key=" + keys["push"], status: 403, answer: "scope read"},
		{name: "read may read", method: "GET", path: user + "?api-key=" + keys["read"], status: 200},
		{name: "read may list", method: "GET", path: "/rest/users/?api-key=" + keys["read"], status: 200},
		{name: "read may not post", path: "/rest/stream?api-key=" + keys["read"], body: message, status: 403, answer: "scope push"},
		{name: "read may not change", path: user + "?api-key=" + keys["read"], body: "<user/>", status: 403, answer: "scope endpoints"},
		{name: "read may count", path: "/rest/adhoc/DOMAIN?api-key=" + keys["read"], body: command("get-online-users-num"), status: 200},
		{name: "read may not delete", path: "/rest/adhoc/DOMAIN?api-key=" + keys["read"], body: command("delete-user"), status: 403, answer: "scope endpoints"},
		{name: "read may not announce", path: "/rest/adhoc/DOMAIN?api-key=" + keys["read"], body: command("announce"), status: 403, answer: "scope push"},
		{name: "endpoints may see the form", path: "/rest/adhoc/DOMAIN?api-key=" + keys["endpoints"], body: command("delete-user"), status: 200, answer: "<var>accountjids</var>"},
		{name: "a key in the URL stays refused elsewhere", method: "GET", path: "/v1/endpoints?api-key=KEY", status: 400, answer: "token_in_query"},
		{name: "nobody is nobody's to see", method: "GET", path: "/rest/user/pc-9@DOMAIN", status: 403},
	} {
		t.Run(r.name, func(t *testing.T) { r.do(t, s) })
	}
}

// TestTigaseOff: what nobody asked for is not there.
func TestTigaseOff(t *testing.T) {
	t.Parallel()
	s := harness.Start(t)
	restRequest{method: "GET", path: "/rest/users/", header: http.Header{"Authorization": {"Bearer KEY"}}, status: 400}.do(t, s)
	restRequest{path: "/rest/stream", header: http.Header{"Authorization": {"Bearer KEY"}}, status: 404}.do(t, s)
	restRequest{path: "/rest/stream?api-key=KEY", status: 400, answer: "token_in_query"}.do(t, s)
}

// TestTigaseRepeated: a request that is repeated with its key is one message.
func TestTigaseRepeated(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, tigase)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret"}`, 201)
	h := http.Header{"Api-Key": {"KEY"}, "Idempotency-Key": {"k"}}
	for range 3 {
		restRequest{path: "/rest/stream", header: h, body: "<message to='pc-1@DOMAIN'/>", status: 200}.do(t, s)
	}
	restRequest{path: "/rest/stream", header: h, body: "<message to='pc-1@DOMAIN' type='chat'/>", status: 422}.do(t, s)
	if _, text := s.Call(t, "GET", "/v1/pushes", "", 200); strings.Count(text, `"id"`) != 1 {
		t.Errorf("pushes: %s", text)
	}
}

// TestTigaseIQ: a client answers what it is asked, as itself and under the id of the question; a message that its session takes is not in the way.
func TestTigaseIQ(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, tigase)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret"}`, 201)
	c := s.Connect(t, "c")
	c.Login("pc-1", "s3cret", "agent")
	for _, to := range []string{"pc-1@DOMAIN", "PC-1@DOMAIN/agent"} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			restRequest{path: "/rest/stream", header: typed(asXML), status: 200,
				body:   "<iq xmlns:j='urn:j' type='set' id='q&lt;1' to='" + to + "'><j:do j:n='1'><arg>x</arg></j:do></iq>",
				answer: "<iq xmlns='jabber:client' type='result' id='q&lt;1' from='pc-1@DOMAIN/agent' to='DOMAIN'><done xmlns='urn:j'>yes</done></iq>"}.do(t, s)
		}()
		t.Cleanup(func() { <-done }) // of a test that fails meanwhile: the request, which reports to it, ends with the test's context
		asked := c.Want("<iq type='set' id='", "to='pc-1@"+harness.Domain+"/agent'", "<j:do xmlns='jabber:client' xmlns:j='urn:j' j:n='1'><arg>x</arg></j:do></iq>")
		_, rest, _ := strings.Cut(asked, "id='")
		id, _, _ := strings.Cut(rest, "'")
		c.Send("<iq type='result' id='wrong' to='" + harness.Domain + "'/>")
		c.Send("<iq type='result' id='" + id + "' to='" + harness.Domain + "'><done xmlns='urn:j'>yes</done></iq>")
		<-done
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		restRequest{path: "/rest/stream", header: typed(asXML), status: 200, body: "<iq type='get' to='pc-1@DOMAIN/agent'><q xmlns='urn:q'/></iq>",
			answer: "<error xmlns='jabber:client' type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"}.do(t, s)
	}()
	t.Cleanup(func() { <-done })
	asked := c.Want("<iq type='get'", "<q xmlns='urn:q'/>")
	_, rest, _ := strings.Cut(asked, "id='")
	id, _, _ := strings.Cut(rest, "'")
	c.Send("<iq type='error' id='" + id + "' to='" + harness.Domain + "'><error type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>")
	<-done
}

func TestTigaseCommands(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, tigase, func(c *config.Config) { c.XMPP.Admins = []string{"boss"} })
	for _, id := range []string{"pc-1", "pc-2", "boss"} {
		s.Call(t, "POST", "/v1/endpoints", `{"id":"`+id+`","secret":"s3cret"}`, 201)
	}
	c := s.Connect(t, "c")
	c.Login("pc-1", "s3cret", "agent")
	c.Send("<presence/>")
	c.Sync()
	admin := func(name, fields string) string {
		return `{"command":{"node":"http://jabber.org/protocol/admin#` + name + `","fields":[` + fields + `]}}`
	}
	head := func(name string) string {
		return `{"command":{"jid":"sess-man@DOMAIN","node":"http://jabber.org/protocol/admin#` + name + `","fields":[`
	}
	sessman := func(name, body string, media, answer string) restRequest {
		return restRequest{name: name, path: "/rest/adhoc/sess-man@DOMAIN", header: typed(media), body: body, status: 200, answer: answer}
	}
	const accounts = `{"var":"accountjids","value":["pc-1@DOMAIN"]}`
	for _, r := range []restRequest{
		sessman("active users", admin("get-active-users", `{"var":"domainjid","value":"DOMAIN"},{"var":"max_items","value":"25"}`), asJSON,
			head("get-active-users")+`{"var":"Users: 1","label":"text-multi","type":"text-multi","value":"pc-1@DOMAIN"}]`),
		sessman("all users", admin("get-registered-users-list", `{"var":"max_items","value":"None"}`), asJSON, `"value":["boss@DOMAIN","pc-1@DOMAIN","pc-2@DOMAIN"]`),
		sessman("active users as XML", "<command><node>http://jabber.org/protocol/admin#get-active-users</node><fields><item><var>max_items</var><value>25</value></item></fields></command>",
			asXML, "<fields><item><var>Users: 1</var><label>text-multi</label><type>text-multi</type><value>pc-1@DOMAIN</value></item></fields>"),
		sessman("another domain", admin("get-active-users", `{"var":"domainjid","value":"other.test"}`), asJSON, head("get-active-users")+`{"var":"Error","type":"fixed"`),
		sessman("add", admin("add-user", `{"var":"accountjid","value":"pc-3@DOMAIN"},{"var":"password","value":"s3cret"},{"var":"password-verify","value":"s3cret"},{"var":"email","value":"x"}`),
			asJSON, head("add-user")+`{"var":"Note","type":"fixed","value":"Operation successful"}]}}`),
		sessman("add again", admin("add-user", `{"var":"accountjid","value":"pc-3@DOMAIN"},{"var":"password","value":"s3cret"},{"var":"password-verify","value":"s3cret"}`),
			asJSON, `"note":{"value":"pc-3@DOMAIN: endpoint exists already","type":"error"}`),
		sessman("the form", admin("add-user", ""), asJSON, `{"var":"password","label":"Password","type":"text-private"}`),
		sessman("statistics", admin("user-stats", `{"var":"accountjid","value":"pc-1@DOMAIN"}`), asJSON, `{"var":"onlineresources","label":"Resources","type":"text-multi","value":"agent"}`),
		sessman("end a session", admin("end-user-session", accounts), asJSON,
			head("end-user-session")+`{"var":"Notes","type":"text-multi","value":"Operation successful for user pc-1@DOMAIN/agent"}]}}`),
		sessman("end no session", admin("end-user-session", `{"var":"accountjids","value":["pc-2@DOMAIN"]}`), asJSON, head("end-user-session")+`]}}`),
		sessman("end a session of nobody", admin("end-user-session", `{"var":"accountjids","value":["pc-2@other.test"]}`), asJSON, `{"var":"Errors"`),
		sessman("disable", admin("disable-user", accounts), asJSON, head("disable-user")+`{"var":"Notes","type":"text-multi","value":"Operation successful for user pc-1@DOMAIN"}]}}`),
		{name: "it is disabled", method: "GET", path: "/rest/user/pc-1@DOMAIN", header: typed(asJSON), status: 200, answer: `"accountStatus":"disabled"`},
		sessman("delete some", admin("delete-user", `{"var":"accountjids","value":["pc-1@DOMAIN","pc-9@DOMAIN","pc-2@DOMAIN"]}`), asJSON,
			`"value":["Operation successful for user pc-1@DOMAIN","Operation successful for user pc-2@DOMAIN"]},{"var":"Errors","type":"text-multi","value":"pc-9@DOMAIN: unknown endpoint"}]`),
		{name: "administrator", method: "GET", path: "/rest/user/boss@DOMAIN", header: typed(asJSON), status: 200, answer: `"isAdmin":true`},
		{name: "status", path: "/rest/user/boss@DOMAIN/status", header: typed(asXML), body: "<command><available>true</available><show>xa</show></command>", status: 200,
			answer: "<status><user>boss@DOMAIN/tigase-external</user><available>true</available><priority>-1</priority><show>xa</show><status></status><success>false</success></status>"},
		{name: "email", path: "/rest/user/boss@DOMAIN", header: typed(asJSON), body: `{"password":"an0ther","email":"b@example.com"}`, status: 200},
		{name: "list as XML", method: "GET", path: "/rest/adhoc/DOMAIN", header: http.Header{"Api-Key": {"KEY"}}, status: 200,
			answer: "<item><jid>DOMAIN</jid><node>http://jabber.org/protocol/admin#delete-user</node><name>Delete accounts</name></item>"},
	} {
		t.Run(r.name, func(t *testing.T) { r.do(t, s) })
	}
	if _, text := s.Call(t, "GET", "/v1/endpoints/boss", "", 200); !strings.Contains(text, `"labels":{"email":"b@example.com"}`) {
		t.Error(text)
	}
	again := s.Connect(t, "boss")
	again.Login("boss", "an0ther", "agent")
}

// TestTigaseClient plays a management server that was written for Tigase's HTTP API in another language.
func TestTigaseClient(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	s := harness.Start(t, tigase)
	out, err := exec.CommandContext(t.Context(), python, "testdata/tigase_client.py", s.URL(), s.Token, harness.Domain).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := s.Connect(t, "c")
	c.Login("pc-9", "n3w-secret", "agent")
	c.Send("<presence/>")
	c.Want(`<message id='psh_`, `type="chat"`, "<body>work &amp; more</body>")
}
