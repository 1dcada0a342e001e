package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature/command"
)

var (
	errTarget  = errors.New("not an account of this server")
	errOffline = errors.New("no such session")
)

// target is an account, or one of its sessions.
type target struct {
	endpoint.Key
	resource string // empty: all
}

// target reads a JID. Local parts are compared without regard to case (RFC 7622 section 3.3).
func (s *service) target(text string) (target, error) {
	j, err := jid.Parse(text)
	switch {
	case err != nil:
		return target{}, fmt.Errorf("%w: it is no JID", errTarget)
	case j.Domainpart() != s.domain || j.Localpart() == "":
		return target{}, fmt.Errorf("%w: it has the addresses name@%s", errTarget, s.domain)
	}
	return target{endpoint.Key{Domain: s.domain, ID: j.Localpart()}, j.Resourcepart()}, nil
}

const (
	accountJIDs = "accountjids"
	noAccount   = "no account was named"
	maxTold     = 10 // failures that a note names
)

// several is a command for a list of accounts.
func (s *service) several(name, title string, do func(context.Context, target) error) command.Command {
	return command.Command{
		Node: node(name), Name: title,
		Form: form(title, command.Field{Var: accountJIDs, Label: "Accounts", Type: command.JIDs, Required: true}),
		Run: func(ctx context.Context, who endpoint.Key, filled command.Values) command.Result {
			var failures []string
			seen := map[target]bool{}
			for _, text := range filled[accountJIDs] {
				if ctx.Err() != nil {
					failures = append([]string{"this takes too long; name fewer accounts"}, failures...)
					break
				}
				to, err := s.target(text)
				if err == nil && seen[to] {
					continue
				}
				seen[to] = true
				if err == nil {
					err = do(ctx, to)
				}
				if err != nil {
					failures = append(failures, s.why(who, name, text, err))
					continue
				}
				s.audit(who, name, text)
			}
			return summary(len(filled[accountJIDs]), failures)
		},
	}
}

func summary(asked int, failures []string) command.Result {
	switch {
	case asked == 0:
		return command.Failed(noAccount)
	case len(failures) == 0:
		return command.Result{}
	case len(failures) > maxTold:
		failures = append(failures[:maxTold], "and "+strconv.Itoa(len(failures)-maxTold)+" more")
	}
	return command.Failed(strings.Join(failures, "\n"))
}

// one is a command that shows something of one account.
func (s *service) one(name, title string, show func(context.Context, endpoint.Key) (*command.Form, error)) command.Command {
	return command.Command{
		Node: node(name), Name: title,
		Form: form(title, command.Field{Var: accountJIDs, Label: "Account", Type: command.JIDs, Required: true}),
		Run: func(ctx context.Context, who endpoint.Key, filled command.Values) command.Result {
			if len(filled[accountJIDs]) != 1 {
				return command.Failed("name one account")
			}
			text := filled.First(accountJIDs)
			to, err := s.target(text)
			if err != nil {
				return command.Failed(s.why(who, name, text, err))
			}
			shown, err := show(ctx, to.Key)
			if err != nil {
				return command.Failed(s.why(who, name, text, err))
			}
			shown.Fields = append([]command.Field{{Var: accountJIDs, Label: "Account", Type: command.JIDs, Values: []string{to.JID()}}}, shown.Fields...)
			return command.Result{Form: shown}
		},
	}
}
