package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"signalbox/internal/access"
	"signalbox/internal/audit"
	"signalbox/internal/telemetry"
)

// route is one operation: what the layers around its handler need and what the documentation says.
type route struct {
	id       string
	method   string
	path     string
	tag      string
	summary  string
	doc      string
	scope    access.Scope // empty: no token is needed
	status   int          // of success
	optional bool         // the body may be missing
	large    bool         // the body may have maxLargeBytes
	huge     bool         // the body may have maxHugeBytes
	example  any          // of the body
	problems []kind       // beyond those that every route of its sort has
}

// none is the body of a request that has none.
type none struct{}

// call is what a handler gets of a request: P are the parameters as huma reads them, B the body.
type call[P, B any] struct {
	Params *P
	Body   B
	exchange
}

// exchange is what the layers before the handler learnt of a request.
type exchange struct {
	caller access.Principal
	raw    []byte // the body as it came
	header http.Header
	url    *url.URL
	idle   func() // gives back the request's slot: for handlers that only wait from then on
}

type exchangeKey struct{}

// register adds a route. The body goes past huma: the strict decoder reads it before the handler runs.
func register[P, B, O any](s *Server, rt route, handle func(context.Context, call[P, B]) (*O, error)) {
	hasBody := reflect.TypeFor[B]() != reflect.TypeFor[none]()
	rt.problems = rt.allProblems(hasBody)
	op := huma.Operation{
		OperationID: rt.id, Method: rt.method, Path: rt.path, Tags: []string{rt.tag}, Summary: rt.summary, Description: rt.doc, DefaultStatus: rt.status,
		Responses: s.problemResponses(rt.problems),
		Middlewares: huma.Middlewares{func(hc huma.Context, next func(huma.Context)) {
			s.enter(hc, next, rt, func() any { return new(B) }, hasBody)
		}},
	}
	if rt.scope != "" {
		op.Security = []map[string][]string{{"token": {string(rt.scope)}}}
	}
	huma.Register(s.api, op, func(ctx context.Context, in *P) (*O, error) {
		e, _ := ctx.Value(exchangeKey{}).(*entered)
		body, _ := e.body.(*B)
		ctx = audit.By(ctx, "token:"+e.caller.Name)
		out, err := handle(ctx, call[P, B]{Params: in, Body: *body, exchange: e.exchange})
		if err != nil {
			return nil, s.problemOf(err)
		}
		return out, nil
	})
	if hasBody {
		s.documentBody(rt, reflect.TypeFor[B]())
	}
}

// entered is an exchange with its decoded body, on its way through the context.
type entered struct {
	exchange
	body any
}

// enter runs before huma looks at the parameters: token, then body.
func (s *Server) enter(hc huma.Context, next func(huma.Context), rt route, newBody func() any, hasBody bool) {
	r, w := humago.Unwrap(hc)
	e := &entered{body: newBody(), exchange: exchange{header: r.Header, url: r.URL, idle: func() {}}}
	var p *Problem
	if e.caller, p = s.authorize(r, rt.scope); p != nil {
		writeProblem(w, p)
		return
	}
	if rec, ok := w.(*recorder); ok {
		rec.token, e.idle = e.caller.TokenID, rec.release
	}
	if hasBody {
		limit, done, ok := s.bodyLimit(r, rt)
		if !ok {
			writeProblem(w, busy.problem("").retryAfter(retryBusy))
			return
		}
		defer done()
		if e.raw, p = readBody(w, r, limit, rt.optional); p == nil && len(e.raw) > 0 {
			p = decodeStrict(e.raw, e.body)
		}
		if p != nil {
			writeProblem(w, p)
			return
		}
	}
	next(huma.WithValue(hc, exchangeKey{}, e))
}

// bodyLimit says how long the body may be. It is not ok where too many large ones are in memory; else done is called when the request is over.
func (s *Server) bodyLimit(r *http.Request, rt route) (limit int64, done func(), ok bool) {
	places := s.large
	switch {
	case !rt.large && !rt.huge, r.ContentLength >= 0 && r.ContentLength <= maxBodyBytes:
		return maxBodyBytes, func() {}, true
	case rt.huge:
		limit, places = maxHugeBytes, s.huge
	default:
		limit = maxLargeBytes
	}
	select {
	case places <- struct{}{}:
		return limit, func() { <-places }, true
	default:
		return 0, nil, false
	}
}

// allProblems adds to a route's own problems those that come with its scope, its body and its parameters.
func (rt route) allProblems(hasBody bool) []kind {
	ks := slices.Concat(rt.problems, []kind{tokenInQuery, badRequest, validationFailed, internalError})
	if rt.path != live {
		ks = append(ks, sourceNotAllowed, busy)
	}
	if rt.scope != "" {
		ks = append(ks, missingToken, invalidToken, insufficientScope)
	}
	if hasBody {
		ks = append(ks, malformedJSON, payloadTooLarge, unsupportedMediaType, requestTimeout)
	}
	return ks
}

// problemResponses documents the kinds of problem by status, each with its codes and an example.
func (s *Server) problemResponses(kinds []kind) map[string]*huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	responses := map[string]*huma.Response{}
	for _, k := range kinds {
		status := strconv.Itoa(k.status)
		r := responses[status]
		if r == nil {
			r = &huma.Response{Headers: problemHeaders(k.status), Content: map[string]*huma.MediaType{problemType: {Schema: schema, Examples: map[string]*huma.Example{}}}}
			responses[status] = r
		}
		examples := r.Content[problemType].Examples
		if examples[k.code] != nil {
			continue
		}
		if r.Description != "" {
			r.Description += "; "
		}
		r.Description += k.code + ": " + k.title
		examples[k.code] = &huma.Example{Summary: k.title, Value: k.problem("")}
	}
	return responses
}

// problemHeaders documents the header fields that come with problems of a status.
func problemHeaders(status int) map[string]*huma.Header {
	field := func(name, doc string) map[string]*huma.Header {
		return map[string]*huma.Header{name: {Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return field("WWW-Authenticate", "RFC 6750 section 3: what is wrong with the token, and the scope that is needed.")
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		return field("Retry-After", "Seconds after which trying again makes sense, where it does.")
	case http.StatusUnsupportedMediaType:
		return field("Accept", "The media type to send.")
	}
	return nil
}

// documentBody says in the OpenAPI document what the strict decoder takes.
func (s *Server) documentBody(rt route, t reflect.Type) {
	media := &huma.MediaType{Schema: s.api.OpenAPI().Components.Schemas.Schema(t, true, rt.id+"Request"), Example: rt.example}
	operation(s.api.OpenAPI(), rt.method, rt.path).RequestBody = &huma.RequestBody{
		Required: !rt.optional, Content: map[string]*huma.MediaType{"application/json": media},
	}
}

// operation finds what was registered for a method and a path; nil if nothing was.
func operation(doc *huma.OpenAPI, method, path string) *huma.Operation {
	item := doc.Paths[path]
	if item == nil {
		return nil
	}
	switch method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPatch:
		return item.Patch
	case http.MethodDelete:
		return item.Delete
	}
	return nil
}

// problemOf makes the answer for an error of a handler. What the catalogue does not know is our mistake: it is logged here and told to nobody.
func (s *Server) problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if p := domainProblem(err); p != nil {
		return p
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return busy.problem("The request was given up before it was done.").retryAfter(retryBusy)
	}
	s.log.Error("request failed", telemetry.Cause(err))
	return internalError.problem("")
}
