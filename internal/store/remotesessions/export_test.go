package remotesessions

import "signalbox/internal/remote"

const QueryOpen = queryOpen

// Selection is the text of a query.
func Selection(q remote.Query) string {
	text, _ := selection(q)
	return text
}
