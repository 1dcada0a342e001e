package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"signalbox/internal/access"
)

// newHuma makes huma as we want it: no routes of its own, nothing loaded from outside, only JSON, unknown query parameters refused, errors of our shape.
func newHuma(mux *http.ServeMux, version string) huma.API {
	return humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Signalbox", Version: version,
				Description: "The HTTP API of the management server. Bodies are JSON in UTF-8 and read strictly: unknown, repeated or misspelt names are refused. " +
					"Times are RFC 3339 in UTC. Every error is application/problem+json (RFC 9457).",
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", typeName),
				SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer", Description: scopesDoc()}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{ownProblem},
	})
}

func scopesDoc() string {
	var names []string
	for _, scope := range access.Scopes() {
		names = append(names, string(scope))
	}
	return "An API token of 'signalbox token create'. Scopes: " + strings.Join(names, ", ") + "; admin includes all others."
}

// ownProblem turns huma's errors about parameters into ours: with a code, without the value that was sent.
func ownProblem(_ huma.Context, _ string, v any) (any, error) {
	var model *huma.ErrorModel
	if err, ok := v.(error); !ok || !errors.As(err, &model) {
		return v, nil
	}
	if model.Status != validationFailed.status {
		return internalError.problem(""), nil
	}
	p := validationFailed.problem("")
	for _, e := range model.Errors {
		if len(p.Errors) < maxFieldErrors {
			p.Errors = append(p.Errors, FieldError{Parameter: parameterName(e.Location), Detail: e.Message})
		}
	}
	return p, nil
}

// parameterName takes the name out of a location such as "query.limit". It is the caller's own spelling where the parameter is unknown.
func parameterName(location string) string {
	_, name, _ := strings.Cut(location, ".")
	if len(name) > maxPointer {
		name = strings.ToValidUTF8(name[:maxPointer], "") + "..."
	}
	return name
}

// finished removes huma's own error shapes, which no answer has, from the document.
func finished(doc *huma.OpenAPI) *huma.OpenAPI {
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	return doc
}
