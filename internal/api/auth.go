package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signalbox/internal/access"
)

// authorize finds the caller and checks that it may do what needs this scope; an empty scope needs no caller.
func (s *Server) authorize(r *http.Request, scope access.Scope) (access.Principal, *Problem) {
	if scope == "" {
		return access.Principal{}, nil
	}
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return access.Principal{}, challenge(missingToken, "")
	}
	scheme, secret, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(secret) == "" {
		return access.Principal{}, challenge(invalidToken, "invalid_request")
	}
	c, err := s.deps.Tokens.Authenticate(r.Context(), strings.TrimSpace(secret))
	if errors.Is(err, access.ErrBadToken) {
		return access.Principal{}, challenge(invalidToken, "invalid_token")
	}
	if err != nil {
		return access.Principal{}, s.problemOf(err)
	}
	if !c.Can(scope) {
		p := insufficientScope.problem("This needs a token with scope " + string(scope) + ".")
		return access.Principal{}, p.with("WWW-Authenticate", `Bearer realm="signalbox", error="insufficient_scope", scope="`+string(scope)+`"`)
	}
	return c, nil
}

// challenge is an answer 401 with what RFC 6750 section 3 wants to see; no error code if the request had no token.
func challenge(k kind, code string) *Problem {
	value := `Bearer realm="signalbox"`
	if code != "" {
		value += `, error="` + code + `"`
	}
	return k.problem("").with("WWW-Authenticate", value)
}

// tokenPrefix begins the secrets of our tokens.
const tokenPrefix = "sbx_"

// secretParameters are names under which other systems take a token in the URL.
func secretParameters() []string {
	return []string{"access_token", "api-key", "api_key", "apikey", "auth", "authorization", "bearer", "key", "secret", "token"}
}

// queryHasToken reports whether the URL carries what looks like a token.
func queryHasToken(r *http.Request) bool {
	if r.URL.RawQuery == "" {
		return false
	}
	if strings.Contains(r.URL.RawQuery, tokenPrefix) {
		return true
	}
	for name := range r.URL.Query() {
		if slices.Contains(secretParameters(), strings.ToLower(name)) {
			return true
		}
	}
	return false
}
