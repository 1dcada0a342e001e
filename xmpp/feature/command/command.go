// Package command offers ad-hoc commands (XEP-0050): what a client has the server do, through a form where more must be said first.
package command

import (
	"context"
	"time"

	"mellium.im/xmpp/stanza"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/scan"
)

const (
	nsCommands = "http://jabber.org/protocol/commands"
	nsForms    = "jabber:x:data"
)

// Command is one thing that can be done.
type Command struct {
	Node string // its name on the wire, unique
	Name string // for people
	Form *Form  // what must be said first; nil: it is done at once
	// Run does it for who asks, with what was filled in. It may wait for the store with the context.
	Run func(ctx context.Context, who endpoint.Key, filled Values) Result
}

// Result is what came of a command.
type Result struct {
	Form *Form // what there is to see; nil: nothing
	Note string
	Kind NoteKind // of the note
}

// NoteKind says how a note is meant (XEP-0050 section 4.3).
type NoteKind string

// The kinds of notes.
const (
	Info    NoteKind = "info"
	Warning NoteKind = "warn"
	Failure NoteKind = "error" // it was not done, or not all of it
)

// Failed is the result of a command that was not done.
func Failed(why string) Result { return Result{Note: why, Kind: Failure} }

// Commands are a table of commands that some accounts may run, at the domain and, the same, at the bare JID of the account that asks.
type Commands struct {
	allowed  func(endpoint.Key) bool
	domain   string
	list     []Command
	sessions sessions
}

// New returns the commands. Only accounts that are allowed see and run them; that is asked at each stage, by several streams at once.
func New(domain string, allowed func(endpoint.Key) bool, list ...Command) *Commands {
	return &Commands{allowed: allowed, domain: domain, list: list, sessions: sessions{open: make(map[string]*session)}}
}

// Feature returns how they are found and run.
func (c *Commands) Feature() feature.Feature {
	return feature.Feature{
		Vars: []string{nsCommands, nsForms}, AccountVars: []string{nsCommands},
		Requests: []feature.Request{{Namespace: nsCommands, Local: "command", To: feature.Server | feature.Own, Set: c.answer}},
		Describe: c.describe,
		List:     c.items,
	}
}

func (c *Commands) find(node string) *Command {
	for i := range c.list {
		if c.list[i].Node == node {
			return &c.list[i]
		}
	}
	return nil
}

// answer is one stage of a command (XEP-0050 section 3). Who asks must be allowed at each: a session is no right.
func (c *Commands) answer(ctx context.Context, q *feature.Query) feature.Answer {
	if !c.allowed(q.From.Key()) {
		return feature.Refuse(stanza.Auth, stanza.Forbidden)
	}
	r, refusal := readRequest(q.Payload)
	if refusal.Condition != "" {
		return refusal
	}
	command := c.find(r.node)
	switch {
	case command == nil:
		return feature.Refuse(stanza.Cancel, stanza.ItemNotFound)
	case r.session == "" && r.action != execute:
		return refuse(badSession)
	case r.session == "" && command.Form == nil:
		return completed(command, newID(), command.Run(ctx, q.From.Key(), nil))
	case r.session == "":
		return c.begin(q, command)
	}
	return c.proceed(ctx, q, command, r)
}

// begin shows the form of a command and waits for it to come back.
func (c *Commands) begin(q *feature.Query, command *Command) feature.Answer {
	id, ok := c.sessions.begin(q.From, command.Node, time.Now())
	if !ok {
		return feature.Refuse(stanza.Wait, stanza.ResourceConstraint)
	}
	b := appendOpening(nil, command.Node, id, "executing")
	b = append(b, "<actions execute='complete'><complete/></actions>"...)
	return feature.Answer{Payload: append(command.Form.appendTo(b, "form"), "</command>"...)}
}

// proceed is the second stage and the last. A form that cannot be read leaves the session open, so that the client may send it again.
func (c *Commands) proceed(ctx context.Context, q *feature.Query, command *Command, r request) feature.Answer {
	if refusal := c.sessions.check(r.session, q.From, command.Node, time.Now()); refusal != "" {
		return refuse(refusal)
	}
	form := q.Payload.Child(nsForms, "x")
	typ, _ := form.Attr("type")
	if r.action == cancel || string(typ) == "cancel" {
		c.sessions.end(r.session)
		return feature.Answer{Payload: append(appendOpening(nil, command.Node, r.session, "canceled"), "</command>"...)}
	}
	if r.action != execute && r.action != complete {
		return refuse(badAction) // there is no other stage before or after
	}
	filled, ok := command.Form.read(form)
	if !ok {
		return refuse(badPayload)
	}
	if !c.sessions.end(r.session) {
		return refuse(badSession)
	}
	return completed(command, r.session, command.Run(ctx, q.From.Key(), filled))
}

func completed(command *Command, id string, r Result) feature.Answer {
	b := appendOpening(nil, command.Node, id, "completed")
	if r.Note != "" {
		b = scan.AppendAttribute(append(b, "<note"...), "type", string(r.Kind))
		b = append(scan.AppendText(append(b, '>'), r.Note), "</note>"...)
	}
	if r.Form != nil {
		b = r.Form.appendTo(b, "result")
	}
	return feature.Answer{Payload: append(b, "</command>"...)}
}

func appendOpening(b []byte, node, id, status string) []byte {
	b = append(b, "<command xmlns='"+nsCommands+"'"...)
	b = scan.AppendAttribute(scan.AppendAttribute(b, "node", node), "sessionid", id)
	return append(scan.AppendAttribute(b, "status", status), '>')
}
