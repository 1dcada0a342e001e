package feature

import (
	"context"
	"time"

	"go.uber.org/zap"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/internal/telemetry"
	"signalbox/xmpp/scan"
)

const (
	nsArchive  = "urn:xmpp:mam:2"
	nsStanzaID = "urn:xmpp:sid:0"
	nsData     = "jabber:x:data"
)

// archive keeps what accounts write and get (XEP-0313).
type archive struct {
	accounts *account.Service
	log      *zap.Logger
}

// Archive offers XEP-0313, and with it the ids of XEP-0359.
func Archive(accounts *account.Service, log *zap.Logger) Feature {
	a := &archive{accounts, log}
	vars := []string{nsArchive, nsArchive + "#extended", nsStanzaID}
	return Feature{
		Vars: vars, AccountVars: vars,
		Requests: []Request{
			{Namespace: nsArchive, Local: "query", To: Own, Get: a.form, Set: a.query},
			{Namespace: nsArchive, Local: "metadata", To: Own, Get: a.metadata},
			{Namespace: nsArchive, Local: "prefs", To: Own, Get: a.preferences, Set: a.setPreferences},
		},
		Outgoing: a.outgoing,
		Incoming: a.incoming,
	}
}

// kept reports whether a message belongs into an archive (section 4.1.1): what people wrote, and what its sender wants to have kept.
func kept(m *Message) bool {
	if m.NoStore || m.NoPermanentStore || m.Type == "error" || m.Type == "headline" || m.Type == "groupchat" {
		return false
	}
	return m.Store || m.Answers || m.Body
}

func (a *archive) outgoing(_ context.Context, m *Message) {
	if kept(m) {
		_, resource := splitJID(string(m.Stanza.To()))
		a.accounts.Append(m.Sender.Key(), account.Message{With: m.To.JID(), Resource: resource, Outgoing: true, Stanza: m.Raw(), At: time.Now().UTC()})
	}
}

// incoming keeps a message and tells its recipient by which id it is kept (XEP-0359).
func (a *archive) incoming(ctx context.Context, m *Message) {
	if !kept(m) {
		return
	}
	with, resource := splitJID(m.From)
	keep, err := a.accounts.Archives(ctx, m.To, with, resource)
	if err != nil {
		a.log.Error("contact could not be read", telemetry.Endpoint(m.To.JID()), telemetry.Cause(err))
	}
	if !keep {
		return
	}
	id := a.accounts.Append(m.To, account.Message{With: with, Resource: resource, Stanza: m.Raw(), At: time.Now().UTC()})
	b := scan.AppendAttribute([]byte("<stanza-id xmlns='"+nsStanzaID+"'"), "by", m.To.JID())
	m.Add(append(scan.AppendAttribute(b, "id", id.String()), "/>"...))
}

// splitJID cuts a JID into its bare form and its resource.
func splitJID(text string) (bare, resource string) {
	j, err := jid.Parse(text)
	if err != nil {
		return text, ""
	}
	return j.Bare().String(), j.Resourcepart()
}

// form says by what an archive can be searched (section 4.1.4).
func (a *archive) form(context.Context, *Query) Answer {
	return Answer{Payload: []byte("<query xmlns='" + nsArchive + "'><x xmlns='" + nsData + "' type='form'>" +
		"<field type='hidden' var='FORM_TYPE'><value>" + nsArchive + "</value></field><field type='jid-single' var='with'/>" +
		"<field type='text-single' var='start'/><field type='text-single' var='end'/><field type='text-single' var='before-id'/>" +
		"<field type='text-single' var='after-id'/><field type='list-multi' var='ids'/></x></query>")}
}

// query sends one page, each message by itself and in order, and then says which page it was (section 4.2).
func (a *archive) query(ctx context.Context, q *Query) Answer {
	filter, page, ok := readArchiveQuery(q.Payload)
	if !ok {
		return Refuse(stanza.Modify, stanza.BadRequest)
	}
	r, err := a.accounts.Query(ctx, q.Account, filter, page)
	if err != nil {
		return a.mistake(err, q)
	}
	queryID, _ := q.Payload.Attr("queryid")
	flip := q.Payload.Child(nsArchive, "flip-page").Exists()
	for i := range r.Messages {
		m := &r.Messages[i]
		if flip {
			m = &r.Messages[len(r.Messages)-1-i]
		}
		if !q.From.Send(appendResult(q, m, string(queryID))) {
			return Refuse(stanza.Wait, stanza.ResourceConstraint) // the client asks again for what it did not get
		}
	}
	return Answer{Payload: appendFin(r)}
}

func appendResult(q *Query, m *account.Message, queryID string) []byte {
	b := scan.AppendAttribute([]byte("<message"), "from", q.Account.JID())
	b = append(scan.AppendAttribute(b, "to", q.From.JID()), "><result xmlns='"+nsArchive+"'"...)
	if queryID != "" {
		b = scan.AppendAttribute(b, "queryid", queryID)
	}
	b = append(scan.AppendAttribute(b, "id", m.ID.String()), '>')
	delay := append(scan.AppendAttribute([]byte("<delay xmlns='"+nsDelay+"'"), "stamp", m.At.UTC().Format("2006-01-02T15:04:05.000Z")), "/>"...)
	return append(appendForwarded(b, m.Stanza, delay), "</result></message>"...)
}

func appendFin(r account.Result) []byte {
	b := []byte("<fin xmlns='" + nsArchive + "'")
	if r.Complete {
		b = append(b, " complete='true'"...)
	}
	b = append(b, "><set xmlns='"+nsPaging+"'>"...)
	if r.First != 0 {
		b = appendElement(appendElement(b, "first", r.First.String()), "last", r.Last.String())
	}
	return append(appendElement(b, "count", itoa(r.Count)), "</set></fin>"...)
}

// metadata tells the bounds of an archive (section 4.3).
func (a *archive) metadata(ctx context.Context, q *Query) Answer {
	first, last, err := a.accounts.Bounds(ctx, q.Account)
	if err != nil {
		return a.mistake(err, q)
	}
	b := []byte("<metadata xmlns='" + nsArchive + "'>")
	if first.ID != 0 {
		b = appendBound(appendBound(b, "start", first), "end", last)
	}
	return Answer{Payload: append(b, "</metadata>"...)}
}

func appendBound(b []byte, name string, m account.Message) []byte {
	b = scan.AppendAttribute(append(append(b, '<'), name...), "id", m.ID.String())
	return append(scan.AppendAttribute(b, "timestamp", m.At.UTC().Format(time.RFC3339)), "/>"...)
}

func (a *archive) mistake(err error, q *Query) Answer {
	answer, ok := Mistake(err)
	if !ok {
		a.log.Error("archive could not be read or changed", telemetry.Endpoint(q.Account.JID()), telemetry.Cause(err))
	}
	return answer
}
