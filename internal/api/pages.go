package api

import (
	_ "embed" // for the files of /docs
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The page /docs, complete: nothing is loaded from elsewhere.
var (
	//go:embed docs/index.html
	docsHTML string
	//go:embed docs/docs.js
	docsScript string
	//go:embed docs/docs.css
	docsStyle string
)

// registerPages adds what is read by people and tools and needs no token: documentation, explanations of problems, metrics.
func (s *Server) registerPages() {
	s.page("openapi", "/openapi.json", "This description, OpenAPI 3.1", func(w http.ResponseWriter, _ *http.Request) {
		send(w, "application/json", s.spec)
	}, "application/json")
	s.page("docs", "/docs", "This description for people", docsFile(docsHTML, "text/html; charset=utf-8"), "text/html")
	s.page("docs-script", "/docs/docs.js", "Script of the page /docs", docsFile(docsScript, "text/javascript; charset=utf-8"), "text/javascript")
	s.page("docs-style", "/docs/docs.css", "Style of the page /docs", docsFile(docsStyle, "text/css; charset=utf-8"), "text/css")
	s.page("problem", "/problems/{name}", "What a kind of problem means", s.problemPage, "text/html", "application/json")
	s.page("metrics", metrics, "Metrics for Prometheus", s.deps.Metrics.ServeHTTP, "text/plain")
}

// page adds a route that is no JSON and documents it.
func (s *Server) page(id, path, summary string, handle http.HandlerFunc, media ...string) {
	s.mux.HandleFunc("GET "+path, handle)
	responses := s.problemResponses([]kind{sourceNotAllowed, tokenInQuery, badRequest, notFound, busy, internalError})
	content := map[string]*huma.MediaType{}
	for _, m := range media {
		content[m] = &huma.MediaType{}
	}
	responses["200"] = &huma.Response{Description: summary, Content: content}
	op := &huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{"pages"}, Summary: summary, Responses: responses}
	if strings.Contains(path, "{name}") {
		op.Parameters = []*huma.Param{{Name: "name", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	s.api.OpenAPI().AddOperation(op)
}

func docsFile(text, media string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		send(w, media, []byte(text))
	}
}

// problemPage explains one kind of problem: JSON to those who ask for it, HTML to all others.
func (s *Server) problemPage(w http.ResponseWriter, r *http.Request) {
	for _, k := range catalogue() {
		if k.slug() != r.PathValue("name") {
			continue
		}
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "json") {
			s.sendJSON(w, map[string]any{"type": k.path(), "code": k.code, "status": k.status, "title": k.title, "detail": k.advice})
			return
		}
		send(w, "text/html; charset=utf-8", fmt.Appendf(nil, problemHTML,
			html.EscapeString(k.title), html.EscapeString(k.title), k.status, html.EscapeString(k.code), html.EscapeString(k.advice)))
		return
	}
	writeProblem(w, notFound.problem("There is no such kind of problem; /docs lists them."))
}

const problemHTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>%s</title>
<h1>%s</h1><p>Status %d, code <code>%s</code></p><p>%s</p><p><a href="/docs">All paths and problems</a></p></html>
`

func (s *Server) sendJSON(w http.ResponseWriter, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		writeProblem(w, s.problemOf(err))
		return
	}
	send(w, "application/json", data)
}

// send answers 200. A failed write means that the caller has gone; nobody is left to be told.
func send(w http.ResponseWriter, media string, data []byte) {
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(data)
}
