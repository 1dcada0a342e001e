package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"signalbox/internal/access"
)

type tokenCreate struct {
	Name   string   `json:"name" minLength:"1" maxLength:"64" doc:"Name by which it is listed and revoked." example:"management"`
	Scopes []string `json:"scopes" nullable:"false" minItems:"1" enum:"push,read,endpoints,sessions,gateway,admin" doc:"What it may do; admin includes all others."`
}

type tokenBody struct {
	_         struct{}  `additionalProperties:"true"`
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []string  `json:"scopes" nullable:"false"`
	CreatedAt time.Time `json:"created_at"`
	Token     string    `json:"token,omitempty" doc:"The token itself, only in the answer to the request that made it."`
}

type tokenPath struct {
	ID string `path:"id" maxLength:"64" doc:"Id or name of the token." example:"management"`
}

func (s *Server) registerTokens() {
	register(s, route{
		id: "create-token", method: http.MethodPost, path: "/v1/tokens", tag: "tokens", summary: "Make an API token",
		scope: access.ScopeAdmin, status: http.StatusCreated, problems: []kind{tokenExists, insufficientStorage},
		example: map[string]any{"name": "management", "scopes": []string{"push", "read", "endpoints"}},
	}, s.createToken)
	register(s, route{
		id: "list-tokens", method: http.MethodGet, path: "/v1/tokens", tag: "tokens", summary: "List API tokens by name",
		scope: access.ScopeAdmin, status: http.StatusOK,
	}, s.listTokens)
	register(s, route{
		id: "revoke-token", method: http.MethodDelete, path: "/v1/tokens/{id}", tag: "tokens", summary: "Revoke an API token",
		scope: access.ScopeAdmin, status: http.StatusNoContent, problems: []kind{unknownToken, insufficientStorage},
	}, s.revokeToken)
}

type createdToken struct{ Body tokenBody }

func (s *Server) createToken(ctx context.Context, c call[noParams, tokenCreate]) (*createdToken, error) {
	scopes, p := parseScopes(c.Body.Scopes)
	if p != nil {
		return nil, p
	}
	secret, t, err := s.deps.Tokens.Create(ctx, c.Body.Name, scopes)
	switch {
	case errors.Is(err, access.ErrTokenRequest):
		return nil, validationFailed.at("/name", "it has 1 to 64 printable bytes, no space at its ends, and does not begin with tok_")
	case err != nil:
		return nil, pointing(err, "/name")
	}
	body := showToken(t)
	body.Token = secret
	return &createdToken{Body: body}, nil
}

func parseScopes(names []string) ([]access.Scope, *Problem) {
	var scopes []access.Scope
	var errs []FieldError
	for i, name := range names {
		scope := access.Scope(name)
		if !slices.Contains(access.Scopes(), scope) && len(errs) < maxFieldErrors {
			errs = append(errs, FieldError{Pointer: "/scopes/" + strconv.Itoa(i), Detail: "it is one of push, read, endpoints, sessions, gateway, admin"})
		}
		scopes = append(scopes, scope)
	}
	if len(scopes) == 0 {
		errs = append(errs, FieldError{Pointer: "/scopes", Detail: "at least one is needed of push, read, endpoints, sessions, gateway, admin"})
	}
	if errs != nil {
		return nil, validationFailed.problem("", errs...)
	}
	return scopes, nil
}

type tokenList struct{ Body list[tokenBody] }

func (s *Server) listTokens(ctx context.Context, _ call[noParams, none]) (*tokenList, error) {
	tokens, err := s.deps.Tokens.List(ctx)
	if err != nil {
		return nil, err
	}
	out := &tokenList{Body: list[tokenBody]{Items: []tokenBody{}}}
	for _, t := range tokens {
		out.Body.Items = append(out.Body.Items, showToken(t))
	}
	return out, nil
}

func (s *Server) revokeToken(ctx context.Context, c call[tokenPath, none]) (*nothing, error) {
	return nil, s.deps.Tokens.Revoke(ctx, c.Params.ID)
}

func showToken(t access.Token) tokenBody {
	b := tokenBody{ID: t.ID, Name: t.Name, CreatedAt: utc(t.Created), Scopes: []string{}}
	for _, scope := range t.Scopes {
		b.Scopes = append(b.Scopes, string(scope))
	}
	return b
}
