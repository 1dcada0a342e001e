package admin

import (
	"context"
	"errors"
	"fmt"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature/command"
)

var errPassword = errors.New("unusable password")

const (
	accountJID     = "accountjid"
	password       = "password"
	passwordVerify = "password-verify"
)

// accounts are the commands that change accounts and their sessions (XEP-0133 sections 4.1 to 4.5 and 4.7).
func (s *service) accounts() []command.Command {
	jid := command.Field{Var: accountJID, Label: "Account", Type: command.JID, Required: true}
	secret := command.Field{Var: password, Label: "Password", Type: command.Secret, Required: true}
	again := command.Field{Var: passwordVerify, Label: "Password, once more", Type: command.Secret, Required: true}
	return []command.Command{
		{Node: node("add-user"), Name: "Add an account", Form: form("Add an account", jid, secret, again), Run: s.change("add-user", s.add)},
		s.several("delete-user", "Delete accounts", func(ctx context.Context, to target) error { return s.Directory.Delete(ctx, to.Key) }),
		s.several("disable-user", "Disable accounts", func(ctx context.Context, to target) error { return s.enable(ctx, to.Key, false) }),
		s.several("reenable-user", "Enable accounts again", func(ctx context.Context, to target) error { return s.enable(ctx, to.Key, true) }),
		s.several("end-user-session", "End sessions", s.endSessions),
		{Node: node("change-user-password"), Name: "Change a password", Form: form("Change a password", jid, secret), Run: s.change("change-user-password", s.changePassword)},
	}
}

// change runs a command about the account of accountjid.
func (s *service) change(name string, do func(context.Context, endpoint.Key, command.Values) error) func(context.Context, endpoint.Key, command.Values) command.Result {
	return func(ctx context.Context, who endpoint.Key, filled command.Values) command.Result {
		text := filled.First(accountJID)
		if text == "" {
			return command.Failed(noAccount)
		}
		to, err := s.target(text)
		if err == nil {
			err = do(ctx, to.Key, filled)
		}
		if err != nil {
			return command.Failed(s.why(who, name, text, err))
		}
		s.audit(who, name, to.JID())
		return command.Result{}
	}
}

func (s *service) add(ctx context.Context, k endpoint.Key, filled command.Values) error {
	secret := filled.First(password)
	if secret != filled.First(passwordVerify) {
		return fmt.Errorf("%w: the two differ", errPassword)
	}
	if secret == "" { // the directory would make one that nobody gets to know
		return fmt.Errorf("%w: it is empty", errPassword)
	}
	_, _, err := s.Directory.Create(ctx, endpoint.Endpoint{Key: k, Enabled: true}, secret)
	return err
}

func (s *service) changePassword(ctx context.Context, k endpoint.Key, filled command.Values) error {
	secret := filled.First(password)
	if secret == "" {
		return fmt.Errorf("%w: it is empty", errPassword)
	}
	_, err := s.Directory.ResetSecret(ctx, k, secret)
	return err
}

func (s *service) enable(ctx context.Context, k endpoint.Key, enabled bool) error {
	_, err := s.Directory.Update(ctx, k, endpoint.Patch{Enabled: &enabled})
	return err
}

// endSessions ends one session of an account, or all.
func (s *service) endSessions(_ context.Context, to target) error {
	ended := false
	for _, session := range s.Registry.AppendSessions(nil, to.Key) {
		if to.resource == "" || to.resource == session.Facts().Resource {
			session.End(endpoint.ReasonDisconnected)
			ended = true
		}
	}
	if !ended {
		return errOffline
	}
	return nil
}
