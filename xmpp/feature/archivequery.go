package feature

import (
	"strconv"
	"time"

	"mellium.im/xmpp/jid"

	"signalbox/internal/account"
	"signalbox/xmpp/scan"
)

const nsPaging = "http://jabber.org/protocol/rsm"

// readArchiveQuery reads the form and the page of a query; false: one of them makes no sense.
func readArchiveQuery(query scan.Element) (f account.Filter, p account.Page, ok bool) {
	if form := query.Child(nsData, "x"); form.Exists() {
		for c := range form.Children() {
			if c.Is(nsData, "field") && !readArchiveField(&f, c) {
				return f, p, false
			}
		}
	}
	p.Max = defaultPage
	if set := query.Child(nsPaging, "set"); set.Exists() {
		return f, p, readPage(&p, set)
	}
	return f, p, true
}

// defaultPage is the size of a page where the client names none.
const defaultPage = 50

// readArchiveField reads one field; one that is not known says something that we would not heed, so the query is refused (XEP-0313 section 4.1.5).
func readArchiveField(f *account.Filter, field scan.Element) (ok bool) {
	name, _ := field.Attr("var")
	value := field.Child(nsData, "value").Text()
	switch string(name) {
	case "FORM_TYPE":
		return value == nsArchive
	case "with":
		j, err := jid.Parse(value)
		f.With = j.String()
		return err == nil
	case "start":
		return readTime(&f.Start, value)
	case "end":
		return readTime(&f.End, value)
	case "after-id":
		f.After, ok = account.ParseArchiveID(value)
		return ok
	case "before-id":
		f.Before, ok = account.ParseArchiveID(value)
		return ok
	case "ids":
		f.IDs = []account.ArchiveID{}
		for v := range field.Children() {
			id, ok := account.ParseArchiveID(v.Text())
			if !ok {
				return false
			}
			f.IDs = append(f.IDs, id)
		}
		return true
	}
	return false
}

// readTime reads XEP-0082.
func readTime(t *time.Time, text string) bool {
	var err error
	*t, err = time.Parse(time.RFC3339Nano, text)
	return err == nil
}

// readPage reads XEP-0059.
func readPage(p *account.Page, set scan.Element) (ok bool) {
	for c := range set.Children() {
		text := c.Text()
		switch string(c.Local()) {
		case "max":
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return false
			}
			p.Max = n
		case "after":
			if p.After, ok = account.ParseArchiveID(text); !ok {
				return false
			}
		case "before":
			p.Backwards = true
			if text == "" {
				break
			}
			if p.Before, ok = account.ParseArchiveID(text); !ok {
				return false
			}
		}
	}
	return true
}

func itoa(n int) string { return strconv.Itoa(n) }
