package api

import (
	"context"
	"net/http"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/access/enrolment"
	"signalbox/internal/access/technician"
	"signalbox/internal/audit"
	"signalbox/internal/campaign"
	"signalbox/internal/endpoint"
	"signalbox/internal/events"
	"signalbox/internal/events/webhook"
	"signalbox/internal/push"
	"signalbox/internal/turnsession"
)

// Deps are the parts behind the API. All but Certs must be there.
type Deps struct {
	Domain    string // the one domain that is served
	Endpoints *endpoint.Directory
	Registry  *endpoint.Registry
	Pushes    *push.Service
	Events    *events.Hub
	Campaigns *campaign.Service
	TURN      *turnsession.Service
	Sessions  Sessions
	Audit     *audit.Log
	Web       func() string // beginning of URLs of HTTP on 443 for people and their programs, such as "https://push.example.com"
	Enrolment *enrolment.Service
	Tokens    *access.Service
	Webhooks  *webhook.Service
	Health    Health
	Diagnosis Diagnosis
	Doctor    Doctor
	Drainer   Drainer
	Certs     Certs        // nil: /v1/certs has an empty list
	Metrics   http.Handler // answers /metrics
	Version   Version
	Compat    Compat // nil: nothing is served below /rest

	Technicians *technician.Service
	Console     func() string // where technicians find the console: "https://HOST[:PORT]"
}

// Compat answers requests below /rest as another server's HTTP API does. It may be called concurrently.
type Compat interface {
	// Route returns the pattern of the path that takes a request, for metrics and logs; never empty, and one of few.
	Route(r *http.Request) string
	// Serve answers a request and knows its callers by itself; caller is told the id of the token, once it is known.
	Serve(w http.ResponseWriter, r *http.Request, caller func(tokenID string))
}

// Health knows whether the server can do its work. It may be called concurrently and answers within a second.
type Health interface {
	Checks(ctx context.Context) []Check
}

// Check is one condition of readiness.
type Check struct {
	_      struct{} `additionalProperties:"true"`
	Name   string   `json:"name" doc:"What was looked at."`
	OK     bool     `json:"ok"`
	Reason string   `json:"reason,omitempty" doc:"Why it is not well or not safe, and what to do."`
}

// Certs reports the loaded certificate bundles. It may be called concurrently.
type Certs interface {
	Certificates() []Certificate
}

// Certificate is one bundle as GET /v1/certs shows it.
type Certificate struct {
	_         struct{}  `additionalProperties:"true"`
	File      string    `json:"file" doc:"Name of the file."`
	Names     []string  `json:"names" nullable:"false" doc:"Host names and addresses that it covers."`
	Issuer    string    `json:"issuer,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	SHA1      string    `json:"sha1,omitempty" doc:"Thumbprint of the leaf."`
	SHA256    string    `json:"sha256,omitempty" doc:"Thumbprint of the leaf."`
	Serving   bool      `json:"serving" doc:"Whether connections get it now."`
	Problems  []string  `json:"problems,omitempty" nullable:"false" doc:"What is wrong with it and what to do."`
}

// Version says what runs.
type Version struct {
	_       struct{} `additionalProperties:"true"`
	Version string   `json:"version" example:"1.0.0"`
	Commit  string   `json:"commit,omitempty"`
	Go      string   `json:"go,omitempty" doc:"Version of the Go toolchain."`
	OS      string   `json:"os,omitempty"`
	Arch    string   `json:"arch,omitempty"`
}
