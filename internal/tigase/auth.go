package tigase

import (
	"errors"
	"net/http"
	"strings"

	"signalbox/internal/access"
)

// authenticate finds the caller by the API key, which is one of our tokens: in the header Api-Key, in the parameter api-key, as a bearer token, or as the password
// of HTTP Basic, in this order. What comes beside a key is not looked at: a Tigase wants the name and password of an administrator there as well.
func (h *Handler) authenticate(r *http.Request) (access.Principal, error) {
	key, ok := keyOf(r)
	if !ok {
		return access.Principal{}, &failure{status: http.StatusForbidden, text: "An API key is needed: send a token in the header Api-Key, or in the parameter api-key."}
	}
	who, err := h.deps.Tokens.Authenticate(r.Context(), key)
	if errors.Is(err, access.ErrBadToken) || errors.Is(err, access.ErrNoToken) {
		return access.Principal{}, &failure{status: http.StatusForbidden, text: "The API key is not valid: it is unknown or revoked."}
	}
	return who, err
}

// keyOf returns the key that a request brings; false: it brings none, or more than one in one place.
func keyOf(r *http.Request) (string, bool) {
	if keys := r.Header.Values("Api-Key"); len(keys) > 0 {
		return keys[0], len(keys) == 1
	}
	if keys := r.URL.Query()["api-key"]; len(keys) > 0 {
		return keys[0], len(keys) == 1
	}
	if scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret), true
	}
	_, password, ok := r.BasicAuth()
	return password, ok
}

// need refuses a caller without the scope; an empty one is nobody's to lack.
func need(who access.Principal, scope access.Scope) error {
	if scope == "" || who.Can(scope) {
		return nil
	}
	return &failure{status: http.StatusForbidden, text: "This needs an API key with scope " + string(scope) + "."}
}
