// Package tigase answers requests as the HTTP API of a Tigase server does, so that a management server written for that works by changing an address: stanzas,
// users, ad-hoc commands.
package tigase

import (
	"context"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"signalbox/internal/access"
	"signalbox/internal/endpoint"
	"signalbox/internal/push"
	"signalbox/xmpp/scan"
)

// Prefix is the path below which everything lies.
const Prefix = "/rest"

// Deps are the parts behind the API. All must be there.
type Deps struct {
	Domain    string   // the one domain that is served
	Admins    []string // endpoint ids of the administrators
	Endpoints *endpoint.Directory
	Registry  *endpoint.Registry
	Pushes    *push.Service
	Tokens    *access.Service
	XMPP      XMPP
	Commands  Commands
}

// XMPP reaches the clients that are connected. Both methods may be called concurrently.
type XMPP interface {
	// Ask has a client of an account, or the server where the key has no ID, answer an iq, and returns the answer as XML, also one of type error. It waits until ctx
	// is done, whose error it returns. An empty resource means the client that leads.
	Ask(ctx context.Context, to endpoint.Key, resource string, iq *scan.Stanza) ([]byte, error)
	// Deliver sends a stanza to the clients of an account that are there, or to that with the resource; false: none took it. It never blocks.
	Deliver(to endpoint.Key, resource string, raw []byte) bool
}

// Commands are the ad-hoc commands of the server. Both methods may be called concurrently.
type Commands interface {
	// Commands returns all, in their order.
	Commands() []Command
	// Form returns what must be filled in before a command runs; nil: nothing, or there is no such command.
	Form(node string) *Form
	// Run runs a command with what was filled in, by the names of the fields.
	Run(ctx context.Context, node string, filled map[string][]string) Outcome
}

// Command is one thing that can be done: its name on the wire, and one for people.
type Command struct{ Node, Name string }

// Form is a data form (XEP-0004).
type Form struct {
	Title, Instructions string
	Fields              []Field
}

// Field is one field of a form.
type Field struct {
	Var, Label, Type string
	Values, Options  []string
}

// Outcome is what came of a command.
type Outcome struct {
	Form   *Form  // what there is to see; nil: nothing
	Note   string // for people; empty: none
	Failed bool   // it was not done, or not all of it; the note says why
}

// Bounds of what goes on at the same time, beside those of the server that this is mounted in.
const (
	maxAsking = 256 // requests that wait for an answer of a client
	maxLists  = 2   // lists of all users, which are made in memory
)

// Handler answers everything below Prefix. It is safe for concurrent use.
type Handler struct {
	deps   Deps
	log    *zap.Logger
	mux    *http.ServeMux
	asking chan struct{} // one element for each request that waits for a client
	lists  chan struct{} // one element for each list of all users
}

// New returns a handler.
func New(deps Deps, log *zap.Logger) *Handler {
	h := &Handler{deps: deps, log: log.Named("tigase"), mux: http.NewServeMux(), asking: make(chan struct{}, maxAsking), lists: make(chan struct{}, maxLists)}
	for _, p := range []string{"POST /rest/stream", "POST /rest/stream/{to...}"} {
		h.on(p, access.ScopePush, h.stream)
	}
	h.on("GET /rest/user/{jid}", access.ScopeRead, h.showUser)
	h.on("PUT /rest/user/{jid}", access.ScopeEndpoints, h.createUser)
	h.on("POST /rest/user/{jid}", access.ScopeEndpoints, h.changeUser)
	h.on("DELETE /rest/user/{jid}", access.ScopeEndpoints, h.deleteUser)
	h.on("POST /rest/user/{jid}/status", access.ScopeEndpoints, h.setStatus)
	h.on("POST /rest/user/{jid}/status/{resource}", access.ScopeEndpoints, h.setStatus)
	for _, p := range []string{"GET /rest/users", "GET /rest/users/{$}", "GET /rest/users/{domain}"} {
		h.on(p, access.ScopeRead, h.listUsers)
	}
	h.on("GET /rest/adhoc/{jid}", access.ScopeRead, h.listCommands)
	h.on("POST /rest/adhoc/{jid}", "", h.runCommand) // which scope is decided by the command
	return h
}

// Route returns the pattern of the path that takes the request, Prefix alone if none does, for metrics and logs.
func (h *Handler) Route(r *http.Request) string {
	_, pattern := h.mux.Handler(r)
	if _, p, ok := strings.Cut(pattern, " "); ok && strings.HasPrefix(p, Prefix) {
		return p
	}
	return Prefix
}

// exchange is one request of a caller that is known.
type exchange struct {
	*http.Request
	who    access.Principal
	header http.Header // of the answer
	body   []byte
}

// callerKey finds in the context of a request the function that is told who calls.
type callerKey struct{}

// Serve answers a request; caller is told the id of its token, once it is known.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, caller func(tokenID string)) {
	h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
}

// on has a function answer what fits a pattern, for callers with the scope.
func (h *Handler) on(pattern string, scope access.Scope, answer func(context.Context, *exchange) (object, error)) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{Request: r, header: w.Header()}
		tree, err := h.answer(w, x, scope, answer)
		if err != nil {
			h.fail(w, err)
			return
		}
		write(w, formatOf(r), tree)
	})
}

func (h *Handler) answer(w http.ResponseWriter, x *exchange, scope access.Scope, answer func(context.Context, *exchange) (object, error)) (object, error) {
	var err error
	if x.who, err = h.authenticate(x.Request); err != nil {
		return nil, err
	}
	if caller, ok := x.Context().Value(callerKey{}).(func(string)); ok {
		caller(x.who.TokenID)
	}
	if err := need(x.who, scope); err != nil {
		return nil, err
	}
	if x.body, err = readBody(w, x.Request); err != nil {
		return nil, err
	}
	return answer(x.Context(), x)
}
