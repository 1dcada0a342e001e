package accounts

import (
	"time"

	"signalbox/internal/account"
	"signalbox/internal/endpoint"
)

// Query is a query with what its plan must name.
type Query struct {
	Text, Table, Index string
	Sorts              bool // a few rows
}

// Queries are the queries whose tables grow.
var Queries = append([]Query{
	{queryRoster, "c", "SEARCH c USING PRIMARY KEY", false},
	{queryContact, "contact", "SEARCH contact USING PRIMARY KEY", false},
	{queryRequests, "contact", "SEARCH contact USING PRIMARY KEY", true},
	{queryOffline, "offline", "offline_queue", false},
	{queryCountOffline, "offline", "COVERING INDEX offline_queue", false},
	{queryOfflineUsage, "offline", "COVERING INDEX offline_queue", false},
	{queryAnyExpired, "offline", "offline_expiry", false},
	{queryItems, "node_item", "node_item_order", true},
	{queryItem, "i", "sqlite_autoindex_node_item_1", false},
	{queryNodes, "node", "sqlite_autoindex_node_1", false},
	{queryTargets, "push_target", "SEARCH push_target USING PRIMARY KEY", false},
	{queryPreferences, "a", "account_preferences", false},
	{queryHolders, "node", "SEARCH node USING COVERING INDEX", false},
	{queryOldestArchived, "archive", "COVERING INDEX archive_account", false},
	{queryOldestItems, "node_item", "node_item_order", false},
	{queryKnowing, "contact", "contact_jid", false},
	{queryAsked, "contact", "contact_jid", false},
}, archiveQueries()...)

func archiveQueries() (all []Query) {
	for with, index := range map[string]string{"": "archive_account", "a@b": "archive_peer"} {
		c := archiveOf(endpoint.Key{}, with)
		if err := c.filter(account.Filter{With: with, Start: time.Unix(1, 0), End: time.Unix(2, 0), After: 1, Before: 2}); err != nil {
			panic(err)
		}
		for _, order := range []string{"", " DESC"} {
			all = append(all, Query{"SELECT id, stanza" + c.text.String() + " ORDER BY id" + order + " LIMIT ?", "archive", "INDEX " + index, false})
		}
		all = append(all, Query{"SELECT count(*)" + c.text.String(), "archive", "COVERING INDEX " + index, false})
	}
	return all
}
