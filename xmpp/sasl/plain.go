package sasl

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"signalbox/internal/endpoint"
	"signalbox/internal/signalling"
)

// plain is PLAIN, RFC 4616. The password is compared as it was sent, without SASLprep, which leaves the secrets that can be chosen alone.
type plain struct{}

func (plain) step(ctx context.Context, x *Exchange, response []byte) ([]byte, bool, error) {
	m, err := parsePlain(string(response))
	if err != nil {
		return nil, false, &Failure{Condition: MalformedRequest, Cause: err}
	}
	if x.in.Technician != nil && signalling.IsID(m.user) {
		err := x.admitTechnician(ctx, m)
		return nil, err == nil, err
	}
	a, err := x.account(ctx, m.user)
	if err != nil {
		return nil, false, err
	}
	proven, err := x.server.checkPassword(ctx, a, m.password)
	if err != nil {
		return nil, false, err
	}
	if err := x.admit(a, proven, m.authzid); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

// admitTechnician asks whether the token is that of the session. It is asked last: a token is good for one use.
func (x *Exchange) admitTechnician(ctx context.Context, m plainMessage) error {
	own := endpoint.Key{Domain: x.in.Domain, ID: m.user}.JID()
	if m.authzid != "" && foldASCII(m.authzid) != own {
		return fail(InvalidAuthzid, "technician asks to act as another")
	}
	var refused *signalling.Error
	switch err := x.in.Technician(ctx, m.user, m.password); {
	case errors.As(err, &refused):
		return &Failure{Condition: NotAuthorized, Cause: err}
	case err != nil:
		return &Failure{Condition: TemporaryAuthFailure, Cause: err}
	}
	x.technician = true
	return nil
}

type plainMessage struct {
	authzid, user, password string
}

// parsePlain reads [authzid] NUL authcid NUL passwd, RFC 4616 section 2.
func parsePlain(message string) (plainMessage, error) {
	if !utf8.ValidString(message) {
		return plainMessage{}, errors.New("message is not UTF-8")
	}
	authzid, rest, _ := strings.Cut(message, "\x00")
	user, password, ok := strings.Cut(rest, "\x00")
	switch {
	case !ok || strings.Contains(password, "\x00"):
		return plainMessage{}, errors.New("message has not exactly two NUL bytes")
	case user == "":
		return plainMessage{}, errors.New("user name is empty")
	case password == "":
		return plainMessage{}, errors.New("password is empty")
	case len(password) > endpoint.MaxSecretBytes:
		return plainMessage{}, errors.New("password is too long")
	}
	return plainMessage{authzid: authzid, user: user, password: password}, nil
}
