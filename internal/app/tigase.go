package app

import (
	"context"

	"signalbox/internal/access"
	"signalbox/internal/api"
	"signalbox/internal/endpoint"
	"signalbox/internal/tigase"
	"signalbox/xmpp/feature/admin"
	"signalbox/xmpp/feature/command"
)

// compat builds the API of a Tigase, if the operator asks for it.
func (a *App) compat(tokens *access.Service) api.Compat {
	if !a.cfg.API.TigaseCompat {
		return nil
	}
	return tigase.New(tigase.Deps{
		Domain: a.cfg.Domain, Admins: a.cfg.XMPP.Admins, Endpoints: endpoint.NewDirectory(a.store, a.endpoint), Registry: a.endpoint, Pushes: a.pushes,
		Tokens: tokens, XMPP: a.xmpp, Commands: commands{a.cfg.Domain, admin.List(a.cfg.Domain, a.adminDeps(), a.log)},
	}, a.log)
}

// commands are the ad-hoc commands of administrators for who has a token. It implements tigase.Commands.
type commands struct {
	domain string
	list   []command.Command
}

// Commands implements tigase.Commands.
func (c commands) Commands() []tigase.Command {
	all := make([]tigase.Command, len(c.list))
	for i := range c.list {
		all[i] = tigase.Command{Node: c.list[i].Node, Name: c.list[i].Name}
	}
	return all
}

func (c commands) find(node string) *command.Command {
	for i := range c.list {
		if c.list[i].Node == node {
			return &c.list[i]
		}
	}
	return nil
}

// Form implements tigase.Commands.
func (c commands) Form(node string) *tigase.Form {
	if found := c.find(node); found != nil {
		return formOf(found.Form)
	}
	return nil
}

// Run implements tigase.Commands.
func (c commands) Run(ctx context.Context, node string, given map[string][]string) tigase.Outcome {
	found := c.find(node)
	if found == nil {
		return tigase.Outcome{Failed: true, Note: "there is no such command"}
	}
	var filled command.Values
	if found.Form != nil {
		var ok bool
		if filled, ok = found.Form.Fill(given); !ok {
			return tigase.Outcome{Failed: true, Note: "a field has more values than it may have"}
		}
	}
	r := found.Run(ctx, endpoint.Key{Domain: c.domain}, filled)
	return tigase.Outcome{Form: formOf(r.Form), Note: r.Note, Failed: r.Kind == command.Failure}
}

func formOf(f *command.Form) *tigase.Form {
	if f == nil {
		return nil
	}
	out := &tigase.Form{Title: f.Title, Instructions: f.Instructions}
	for _, field := range f.Fields {
		out.Fields = append(out.Fields, tigase.Field{Var: field.Var, Label: field.Label, Type: field.Type, Values: field.Values, Options: field.Options})
	}
	return out
}
