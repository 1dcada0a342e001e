package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

const cookie = "__Host-signalbox"

// api answers the console's API for one technician, who sees a few endpoints, of which pc-1 is online.
func (f *fake) api(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/console/api/")
	var body object
	if r.Method != http.MethodGet {
		if r.Header.Get("X-Signalbox-Console") != "1" {
			problem(w, http.StatusForbidden, "forbidden_origin", "")
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			problem(w, http.StatusUnprocessableEntity, "validation_failed", err.Error())
			return
		}
	}
	if strings.HasPrefix(path, "signin") {
		f.signIn(w, path, body)
		return
	}
	if c, err := r.Cookie(cookie); err != nil || c.Value != f.cookie {
		problem(w, http.StatusUnauthorized, "not_signed_in", "")
		return
	}
	first, rest, _ := strings.Cut(path, "/")
	switch first {
	case "me":
		answer(w, http.StatusOK, me())
	case "signout":
		http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", Secure: true, HttpOnly: true, MaxAge: -1})
		w.WriteHeader(http.StatusNoContent)
	case "endpoints":
		f.endpoints(w, r, rest)
	case "sessions":
		f.sessionsAPI(w, r, rest, body)
	default:
		problem(w, http.StatusNotFound, "not_found", path)
	}
}

func (f *fake) signIn(w http.ResponseWriter, path string, body object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token, _ := body["token"].(string)
	switch {
	case path == "signin" && body["password"] == "secret":
	case path == "signin/link" && f.links[token]:
		delete(f.links, token)
	case path == "signin/link":
		problem(w, http.StatusUnauthorized, "link_invalid", "The link was used already, or has expired.")
		return
	default:
		problem(w, http.StatusUnauthorized, "bad_credentials", "Name or password is wrong.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: f.cookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	answer(w, http.StatusOK, me())
}

func me() object {
	return object{
		"technician": object{"id": "tec_1", "name": "ada", "display_name": "Ada L."}, "has_password": true, "roles": []string{"operator"}, "may_open": true,
		"kinds": []string{"terminal", "files", "processes"}, "manages_sessions": false, "expires_at": at(-time.Hour), "idle_seconds": 1800,
		"server": object{"domain": "example.org", "name": "signalbox", "version": "test"},
	}
}

func endpoint(i int) object {
	e := object{
		"id": fmt.Sprintf("pc-%d", i), "jid": fmt.Sprintf("pc-%d@example.org", i), "enabled": i != 5, "labels": object{"site": "ulm"}, "groups": []string{"shop"},
		"presence": presence(i), "access": object{"open": true, "kinds": []string{"terminal", "files", "processes"}, "permissions": []string{}}, "created_at": at(time.Hour),
	}
	return e
}

func presence(i int) object {
	switch {
	case i == 1:
		return object{"state": "online", "since": at(2 * time.Hour), "last_heard": at(5 * time.Second), "via": "tls", "tls_version": "1.3", "remote_addr": "192.0.2.7"}
	case i == 4:
		return object{"state": "never"}
	}
	return object{"state": "offline", "since": at(50 * time.Hour), "last_heard": at(50 * time.Hour), "reason": "silent"}
}

func (f *fake) endpoints(w http.ResponseWriter, r *http.Request, rest string) {
	id, what, _ := strings.Cut(rest, "/")
	var i int
	_, _ = fmt.Sscanf(id, "pc-%d", &i)
	switch {
	case id == "":
		f.list(w, r)
	case i < 1 || i > 6:
		problem(w, http.StatusNotFound, "unknown_endpoint", "")
	case what == "timeline":
		answer(w, http.StatusOK, object{"items": []object{
			{"at": at(2 * time.Hour), "kind": "endpoint.online", "summary": "It came online.", "count": 1},
			{"at": at(3 * time.Hour), "kind": "endpoint.offline", "summary": "It went offline: nothing was heard of it.", "reason": "silent", "count": 1},
			{"at": at(4 * time.Hour), "kind": "attempt.failed", "summary": "It did not trust our certificate.", "code": "cert_unknown_ca", "address": "192.0.2.7", "count": 12},
		}, "next": ""})
	case what == "diagnosis":
		answer(w, http.StatusOK, diagnosis(id, i == 1))
	case what == "probe":
		answer(w, http.StatusOK, object{"state": "online", "asked_at": at(0), "rtt_ms": 1.5, "presence": presence(i)})
	default:
		answer(w, http.StatusOK, endpoint(i))
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	items := []object{}
	for i := 1; i <= 6; i++ {
		e := endpoint(i)
		state := e["presence"].(object)["state"].(string)
		if strings.Contains(e["id"].(string), query.Get("q")) && (query.Get("state") == "" || strings.Contains(query.Get("state"), state)) {
			items = append(items, e)
		}
	}
	answer(w, http.StatusOK, object{"items": items, "next": ""})
}

func diagnosis(id string, ok bool) object {
	d := object{
		"id": id, "at": at(0), "state": "online", "ok": true, "code": "online", "summary": "The endpoint is online.", "action": "Nothing is to be done.", "attempts": []object{},
	}
	tls := object{"step": "tls", "result": "ok", "at": at(time.Minute)}
	if !ok {
		d["ok"], d["state"], d["code"] = false, "offline", "cert_unknown_ca"
		d["summary"], d["action"] = "It does not trust the server's certificate.", "Install the CA at the endpoint."
		tls["result"], tls["code"] = "failed", "cert_unknown_ca"
	}
	d["steps"] = []object{{"step": "dns", "result": "unknown"}, {"step": "tcp", "result": "ok", "at": at(time.Minute)}, tls, {"step": "stream", "result": "not_reached"}}
	return d
}

func (f *fake) sessionsAPI(w http.ResponseWriter, r *http.Request, rest string, body object) {
	id, what, _ := strings.Cut(rest, "/")
	if id == "" && r.Method == http.MethodPost {
		s := f.open(body["endpoint"].(string), body["transport"].(string))
		shown := s.show()
		shown["token"], shown["token_expires_at"], shown["signalling_url"] = s.token, at(-time.Minute), f.socketURL("/console/signal")
		answer(w, http.StatusCreated, shown)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.sessions[id]
	switch {
	case id == "":
		items := []object{}
		for _, s := range f.sessions {
			if s.over() == (r.URL.Query().Get("state") == "ended") {
				items = append(items, s.show())
			}
		}
		answer(w, http.StatusOK, object{"items": items, "next": ""})
	case s == nil:
		problem(w, http.StatusNotFound, "unknown_session", "")
	case what == "credentials":
		shown := s.show()
		shown["token"], shown["signalling_url"] = s.renew(), f.socketURL("/console/signal")
		answer(w, http.StatusOK, shown)
	default:
		answer(w, http.StatusOK, s.show())
	}
}

// serveLive tells presence of what is watched, once; tests tell more through f.live.
func (f *fake) serveLive(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"signalbox-live"}})
	if err != nil {
		return
	}
	f.mu.Lock()
	f.live = c
	f.mu.Unlock()
	for {
		var m struct {
			Watch struct{ Endpoints []string }
		}
		if wsjson.Read(r.Context(), c, &m) != nil {
			return
		}
		told := object{}
		for _, id := range m.Watch.Endpoints {
			var i int
			_, _ = fmt.Sscanf(id, "pc-%d", &i)
			told[id] = presence(i)
		}
		_ = wsjson.Write(r.Context(), c, object{"presence": told})
	}
}

// tell sends a change of presence to the page.
func (f *fake) tell(ctx context.Context, id string, presence object) error {
	f.mu.Lock()
	c := f.live
	f.mu.Unlock()
	return wsjson.Write(ctx, c, object{"presence": object{id: presence}})
}
