package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"signalbox/internal/access"
)

func (s *Server) registerOperation() {
	register(s, route{
		id: "list-certificates", method: http.MethodGet, path: "/v1/certs", tag: "operation", summary: "List the loaded certificate bundles",
		scope: access.ScopeRead, status: http.StatusOK,
	}, s.listCertificates)
	register(s, route{
		id: "live", method: http.MethodGet, path: live, tag: "operation", summary: "Tell that the process runs",
		doc: "Answers to every address and at every load.", status: http.StatusOK,
	}, func(context.Context, call[noParams, none]) (*liveAnswer, error) {
		return &liveAnswer{Body: liveBody{OK: true}}, nil
	})
	register(s, route{
		id: "ready", method: http.MethodGet, path: ready, tag: "operation", summary: "Tell whether the server can do its work",
		doc: "Answers 503 with the same body when one of the checks is not well. It answers though all other requests are refused as too many.", status: http.StatusOK,
	}, s.ready)
	s.documentNotReady()
	register(s, route{
		id: "version", method: http.MethodGet, path: "/version", tag: "operation", summary: "Show what runs", status: http.StatusOK,
	}, func(context.Context, call[noParams, none]) (*versionAnswer, error) {
		return &versionAnswer{Body: s.deps.Version}, nil
	})
}

type certificateList struct{ Body list[Certificate] }

func (s *Server) listCertificates(context.Context, call[noParams, none]) (*certificateList, error) {
	out := &certificateList{Body: list[Certificate]{Items: []Certificate{}}}
	if s.deps.Certs != nil {
		out.Body.Items = append(out.Body.Items, s.deps.Certs.Certificates()...)
	}
	return out, nil
}

type liveBody struct {
	_  struct{} `additionalProperties:"true"`
	OK bool     `json:"ok"`
}

type liveAnswer struct{ Body liveBody }

type versionAnswer struct{ Body Version }

type readiness struct {
	_      struct{} `additionalProperties:"true"`
	Ready  bool     `json:"ready"`
	Checks []Check  `json:"checks" nullable:"false"`
}

type readyAnswer struct {
	Status int
	Body   readiness
}

func (s *Server) ready(ctx context.Context, _ call[noParams, none]) (*readyAnswer, error) {
	out := &readyAnswer{Status: http.StatusOK, Body: readiness{Ready: true, Checks: []Check{}}}
	out.Body.Checks = append(out.Body.Checks, s.deps.Health.Checks(ctx)...)
	for _, c := range out.Body.Checks {
		if !c.OK {
			out.Body.Ready = false
			out.Status = http.StatusServiceUnavailable
		}
	}
	return out, nil
}

// documentNotReady adds the answer that is no problem though its status is 503.
func (s *Server) documentNotReady() {
	responses := operation(s.api.OpenAPI(), http.MethodGet, ready).Responses
	ok, bad := responses[strconv.Itoa(http.StatusOK)], responses[strconv.Itoa(http.StatusServiceUnavailable)]
	bad.Description = "not ready; " + bad.Description
	bad.Content["application/json"] = &huma.MediaType{Schema: ok.Content["application/json"].Schema}
}
