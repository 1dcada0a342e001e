package tigase

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/internal/access"
	"signalbox/internal/telemetry"
)

const (
	nsAdmin    = "http://jabber.org/protocol/admin#"
	commandFor = time.Minute // how long a command may take
	maxFields  = 100
)

// The fields that name accounts, one or several.
const (
	accountJID  = "accountjid"
	accountJIDs = "accountjids"
)

// component says whether an address is one at which a Tigase has the commands that we have: the domain, and its session manager.
func (h *Handler) component(jid string) error {
	if strings.EqualFold(strings.TrimPrefix(jid, "sess-man@"), h.deps.Domain) {
		return nil
	}
	return notFound("The commands are at " + h.deps.Domain + " and sess-man@" + h.deps.Domain + ".")
}

func (h *Handler) listCommands(_ context.Context, x *exchange) (object, error) {
	jid := x.PathValue("jid")
	if err := h.component(jid); err != nil {
		return nil, err
	}
	var items []any
	for _, c := range h.deps.Commands.Commands() {
		items = append(items, object{{"jid", jid}, {"node", c.Node}, {"name", c.Name}})
	}
	return object{{"items", items}}, nil
}

// runCommand runs a command with the fields of the request, or shows its form where there are none.
func (h *Handler) runCommand(ctx context.Context, x *exchange) (object, error) {
	jid := x.PathValue("jid")
	if err := h.component(jid); err != nil {
		return nil, err
	}
	body, err := x.decode("command")
	if err != nil {
		return nil, err
	}
	node, err := h.node(body)
	if err != nil {
		return nil, err
	}
	if err := need(x.who, scopeOf(node)); err != nil {
		return nil, err
	}
	filled, err := readFields(body["fields"])
	if err != nil {
		return nil, err
	}
	form := h.deps.Commands.Form(node)
	if form != nil && len(filled) == 0 {
		return commandAnswer(jid, node, Outcome{Form: form}), nil
	}
	if d := filled["domainjid"]; len(d) > 0 && !strings.EqualFold(d[0], h.deps.Domain) {
		return commandAnswer(jid, node, failedOutcome("The domain is not served here.")), nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandFor)
	defer cancel()
	h.log.Info("a command is run for a token", telemetry.Token(x.who.TokenID), telemetry.Command(strings.TrimPrefix(node, nsAdmin)))
	return commandAnswer(jid, node, h.run(ctx, node, form, filled)), nil
}

// node returns the name of a command that there is; without its namespace it counts as one of XEP-0133.
func (h *Handler) node(body map[string]any) (string, error) {
	name, _ := textOf(body["node"])
	for _, c := range h.deps.Commands.Commands() {
		if c.Node == name || c.Node == nsAdmin+name {
			return c.Node, nil
		}
	}
	return "", notFound("There is no such command.")
}

// scopeOf returns what a caller needs for a command.
func scopeOf(node string) access.Scope {
	switch name := strings.TrimPrefix(node, nsAdmin); {
	case strings.HasPrefix(name, "get-"), name == "user-stats":
		return access.ScopeRead
	case name == "announce":
		return access.ScopePush
	}
	return access.ScopeEndpoints
}

// readFields reads a list of objects with var and value.
func readFields(v any) (map[string][]string, error) {
	list, ok := v.([]any)
	text, _ := textOf(v)
	switch {
	case v == nil || !ok && strings.TrimSpace(text) == "":
		return nil, nil
	case !ok:
		return nil, badRequest("The fields are not a list of items.")
	case len(list) > maxFields:
		return nil, badRequest("A command has at most 100 fields.")
	}
	filled := make(map[string][]string, len(list))
	for _, one := range list {
		field, _ := one.(map[string]any)
		name, named := textOf(field["var"])
		values, ok := textsOf(field["value"])
		if _, twice := filled[name]; !named || !ok || twice {
			return nil, badRequest("Each field has a var that no other has, and a value that is a text or a list of texts.")
		}
		filled[name] = values
	}
	return filled, nil
}

// run has the command done, for one account after the other where it takes several, so that the answer can tell what became of each.
func (h *Handler) run(ctx context.Context, node string, form *Form, filled map[string][]string) Outcome {
	adapt(form, filled)
	if !has(form, accountJIDs) || scopeOf(node) != access.ScopeEndpoints {
		return settled(h.deps.Commands.Run(ctx, node, filled))
	}
	var done, failed []string
	for _, jid := range filled[accountJIDs] {
		for _, at := range h.targets(node, jid) {
			out := h.deps.Commands.Run(ctx, node, map[string][]string{accountJIDs: {at}})
			if out.Failed {
				failed = append(failed, out.Note)
			} else {
				done = append(done, "Operation successful for user "+at)
			}
		}
	}
	return notes(done, failed)
}

// targets returns what a command for several accounts is done to: of one that ends sessions, each session of the account.
func (h *Handler) targets(node, jid string) []string {
	if node != nsAdmin+"end-user-session" {
		return []string{jid}
	}
	at, err := h.address(jid)
	if err != nil || at.ID == "" {
		return []string{jid} // the command says what is wrong with it
	}
	var sessions []string
	for _, s := range h.deps.Registry.AppendSessions(nil, at.Key) {
		if r := s.Facts().Resource; at.resource == "" || at.resource == r {
			sessions = append(sessions, at.JID()+"/"+r)
		}
	}
	return sessions
}

// adapt writes what callers of a Tigase fill in as our forms have it.
func adapt(form *Form, filled map[string][]string) {
	for _, pair := range [][2]string{{accountJID, accountJIDs}, {accountJIDs, accountJID}} {
		if has(form, pair[0]) && filled[pair[0]] == nil {
			filled[pair[0]] = filled[pair[1]]
		}
	}
	if most := filled["max_items"]; len(most) == 1 && strings.EqualFold(most[0], "none") {
		filled["max_items"] = []string{"none"}
	}
}

func has(form *Form, name string) bool {
	return form != nil && slices.ContainsFunc(form.Fields, func(f Field) bool { return f.Var == name })
}
