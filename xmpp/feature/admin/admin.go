// Package admin offers service administration (XEP-0133) to the accounts that the operator named: what its subset has for accounts, sessions and who is there.
package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"signalbox/internal/endpoint"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/feature/command"
)

const nsAdmin = "http://jabber.org/protocol/admin"

// Deps are the parts through which administrators work, with the rules of the management server's API.
type Deps struct {
	Directory *endpoint.Directory
	Registry  *endpoint.Registry
	Roster    func(context.Context, endpoint.Key) ([]byte, error) // the roster of an account as XML, or endpoint.ErrUnknown; nil: accounts have none of their own
}

// service does what the commands say.
type service struct {
	Deps
	domain string
	log    *zap.Logger
}

// Commands returns the commands for these administrators, endpoint ids of the domain. Without any nobody may run one, and the list is empty for all.
func Commands(domain string, administrators []string, deps Deps, log *zap.Logger) feature.Feature {
	allowed := func(k endpoint.Key) bool { return k.Domain == domain && slices.Contains(administrators, k.ID) }
	return command.New(domain, allowed, List(domain, deps, log)...).Feature()
}

// List returns the same commands for who runs them without a stream; whether it may is for the caller to know.
func List(domain string, deps Deps, log *zap.Logger) []command.Command {
	s := &service{deps, domain, log.Named("admin")}
	return slices.Concat(s.accounts(), s.users(), s.counts(), s.lists(), s.announcements())
}

// node is the name of a command on the wire (XEP-0133 section 4).
func node(name string) string { return nsAdmin + "#" + name }

// form is a form of these commands.
func form(title string, fields ...command.Field) *command.Form {
	return &command.Form{Type: nsAdmin, Title: title, Fields: fields}
}

// audit notes who did what.
func (s *service) audit(who endpoint.Key, name, target string) {
	s.log.Info("done for an administrator", telemetry.Endpoint(who.JID()), telemetry.Command(name), telemetry.Target(target))
}

// why says to an administrator what stood against a command. What is the server's fault goes to the log as well.
func (s *service) why(who endpoint.Key, name, target string, err error) string {
	for _, known := range []error{endpoint.ErrUnknown, endpoint.ErrExists} {
		if errors.Is(err, known) {
			return fmt.Sprintf("%.300s: %v", target, known)
		}
	}
	for _, explained := range []error{errTarget, errOffline, errPassword, endpoint.ErrID, endpoint.ErrSecret} {
		if errors.Is(err, explained) {
			return fmt.Sprintf("%.300s: %v", target, err)
		}
	}
	s.log.Error("an administrator's command failed", telemetry.Endpoint(who.JID()), telemetry.Command(name), telemetry.Target(target), telemetry.Cause(err))
	return fmt.Sprintf("%.300s: the server could not do it; see its log", target)
}
