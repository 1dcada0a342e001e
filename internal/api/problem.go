package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// problemType is the media type of RFC 9457.
const problemType = "application/problem+json"

// Problem is the one shape of every error answer, RFC 9457. It never holds a value that the caller sent.
type Problem struct {
	_      struct{}     `additionalProperties:"true"`
	Type   string       `json:"type" doc:"Path of a page that explains this kind of problem." example:"/problems/unknown-endpoint"`
	Title  string       `json:"title" doc:"The kind of problem in a few words; the same for every occurrence."`
	Status int          `json:"status" doc:"HTTP status."`
	Code   string       `json:"code" doc:"Stable name of the kind, for programs." example:"unknown_endpoint"`
	Detail string       `json:"detail" doc:"What happened this time and what to do."`
	Errors []FieldError `json:"errors,omitempty" nullable:"false" doc:"Where the mistakes are."`

	header http.Header
}

// FieldError points at one mistake in a request: Pointer for the body, Parameter for everything else.
type FieldError struct {
	_         struct{} `additionalProperties:"true"`
	Pointer   string   `json:"pointer,omitempty" doc:"JSON pointer (RFC 6901) into the body." example:"/to"`
	Parameter string   `json:"parameter,omitempty" doc:"Name of the query parameter, header or part of the path."`
	Detail    string   `json:"detail" doc:"What is wrong and what is allowed."`
}

// Error returns the detail. A Problem is an error so that handlers can return it.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus returns the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the header fields that belong to the answer, for huma.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType returns the media type of RFC 9457, for huma.
func (p *Problem) ContentType(string) string { return problemType }

// with adds a header field and returns p.
func (p *Problem) with(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// retryAfter says when trying again makes sense, RFC 9110 section 10.2.3.
func (p *Problem) retryAfter(d time.Duration) *Problem {
	return p.with("Retry-After", strconv.Itoa(int(d.Seconds())))
}

// writeProblem answers with p. It is for the layers outside huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	// A failed write means that the caller has gone; nobody is left to be told.
	_ = json.NewEncoder(w).Encode(p)
}

// kind is one entry of the catalogue.
type kind struct {
	code   string
	status int
	title  string
	advice string // what the caller does about it: the default detail and the text of its page
}

// path returns the type of RFC 9457 section 3.1.1.
func (k kind) path() string { return "/problems/" + k.slug() }

func (k kind) slug() string { return strings.ReplaceAll(k.code, "_", "-") }

// problem makes an occurrence; an empty detail stands for the kind's advice.
func (k kind) problem(detail string, errs ...FieldError) *Problem {
	if detail == "" {
		detail = k.advice
	}
	return &Problem{Type: k.path(), Title: k.title, Status: k.status, Code: k.code, Detail: detail, Errors: errs}
}

// at makes an occurrence about one place in the body.
func (k kind) at(pointer, detail string) *Problem {
	return k.problem("", FieldError{Pointer: pointer, Detail: detail})
}
