package feature

import (
	"context"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"signalbox/internal/account"
	"signalbox/xmpp/scan"
)

// preferences tells what is archived (XEP-0441, which was section 8 of XEP-0313).
func (a *archive) preferences(_ context.Context, q *Query) Answer {
	return Answer{Payload: appendPreferences(a.accounts.Preferences(q.Account))}
}

func appendPreferences(p account.Preferences) []byte {
	b := append(scan.AppendAttribute([]byte("<prefs xmlns='"+nsArchive+"'"), "default", p.Default.String()), "><always>"...)
	for _, j := range p.Always {
		b = appendElement(b, "jid", j)
	}
	b = append(b, "</always><never>"...)
	for _, j := range p.Never {
		b = appendElement(b, "jid", j)
	}
	return append(b, "</never></prefs>"...)
}

func (a *archive) setPreferences(ctx context.Context, q *Query) Answer {
	name, _ := q.Payload.Attr("default")
	var p account.Preferences
	var ok bool
	if p.Default, ok = account.ParseArchiving(string(name)); !ok {
		return Refuse(stanza.Modify, stanza.BadRequest)
	}
	if p.Always, ok = readJIDs(q.Payload.Child(nsArchive, "always")); !ok {
		return Refuse(stanza.Modify, stanza.JIDMalformed)
	}
	if p.Never, ok = readJIDs(q.Payload.Child(nsArchive, "never")); !ok {
		return Refuse(stanza.Modify, stanza.JIDMalformed)
	}
	if err := a.accounts.SetPreferences(ctx, q.Account, p); err != nil {
		return a.mistake(err, q)
	}
	return Answer{Payload: appendPreferences(p)}
}

func readJIDs(list scan.Element) (jids []string, ok bool) {
	for c := range list.Children() {
		j, err := jid.Parse(c.Text())
		if err != nil {
			return nil, false
		}
		jids = append(jids, j.String())
	}
	return jids, true
}
