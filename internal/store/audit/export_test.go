package audit

import "signalbox/internal/audit"

const QueryOldHead = queryOldHead

// Selection is the text of a query.
func Selection(q audit.Query) string {
	text, _ := selection(q)
	return text
}
