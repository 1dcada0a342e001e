package admin

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature/command"
)

// group is a kind of accounts that can be counted and listed (XEP-0133 sections 4.13 to 4.22).
type group struct {
	adjective   string
	list, jids  string // node and field of the list
	count, many string // node and field of the count
	each        func(context.Context, func(endpoint.Key)) error
}

func (s *service) groups() []group {
	return []group{
		{"registered", "get-registered-users-list", "registereduserjids", "get-registered-users-num", "registeredusersnum", s.registered(func(endpoint.Record) bool { return true })},
		{"disabled", "get-disabled-users-list", "disableduserjids", "get-disabled-users-num", "disabledusersnum", s.registered(func(r endpoint.Record) bool { return !r.Enabled })},
		{"online", "get-online-users-list", "onlineuserjids", "get-online-users-num", "onlineusersnum", s.online(func(endpoint.Standing) bool { return true })},
		{"active", "get-active-users", "activeuserjids", "get-active-users-num", "activeusersnum", s.online(func(b endpoint.Standing) bool { return b.Available })},
		{"idle", "get-idle-users", "idleuserjids", "get-idle-users-num", "idleusersnum", s.online(func(b endpoint.Standing) bool { return !b.Available })},
	}
}

// pageOfAccounts is how many accounts are read at once.
const pageOfAccounts = 1000

// registered visits the accounts of the directory that fit.
func (s *service) registered(fits func(endpoint.Record) bool) func(context.Context, func(endpoint.Key)) error {
	return func(ctx context.Context, visit func(endpoint.Key)) error {
		for after := ""; ; {
			page, err := s.Directory.Endpoints(ctx, endpoint.Query{Domain: s.domain, After: after, Limit: pageOfAccounts})
			if err != nil {
				return err
			}
			for _, r := range page {
				if fits(r) {
					visit(r.Key)
				}
			}
			if len(page) < pageOfAccounts {
				return nil
			}
			after = page[len(page)-1].ID
		}
	}
}

// online visits the accounts that are online by the session that leads and fits. Active are those that a session is available of, idle those that are connected and
// said that they take nothing.
func (s *service) online(fits func(endpoint.Standing) bool) func(context.Context, func(endpoint.Key)) error {
	return func(_ context.Context, visit func(endpoint.Key)) error {
		for b := range s.Registry.All() {
			if b.Leads && !b.Suspended && b.Domain == s.domain && fits(b) {
				visit(b.Key)
			}
		}
		return nil
	}
}

// counts are answered at once.
func (s *service) counts() (list []command.Command) {
	for _, g := range s.groups() {
		title := "Count " + g.adjective + " accounts"
		list = append(list, command.Command{Node: node(g.count), Name: title, Run: func(ctx context.Context, who endpoint.Key, _ command.Values) command.Result {
			n := 0
			if err := g.each(ctx, func(endpoint.Key) { n++ }); err != nil {
				return command.Failed(s.why(who, g.count, s.domain, err))
			}
			return command.Result{Form: form(title, command.Field{Var: g.many, Label: "Number of " + g.adjective + " accounts", Type: command.Text, Values: []string{strconv.Itoa(n)}})}
		}})
	}
	return list
}

const (
	maxItems  = "max_items"
	maxListed = 1000 // accounts in one answer, so that it fits into a stanza
)

// lists ask how many accounts to show.
func (s *service) lists() (list []command.Command) {
	for _, g := range s.groups() {
		title := "List " + g.adjective + " accounts"
		ask := form(title, command.Field{Var: maxItems, Label: "How many at most", Type: command.OneOf, Options: []string{"25", "50", "100", "200", "none"}})
		list = append(list, command.Command{Node: node(g.list), Name: title, Form: ask, Run: func(ctx context.Context, who endpoint.Key, filled command.Values) command.Result {
			most, ok := limit(filled.First(maxItems))
			if !ok {
				return command.Failed("max_items: give a number from 1, or none")
			}
			var jids []string
			if err := g.each(ctx, func(k endpoint.Key) { jids = append(jids, k.JID()) }); err != nil {
				return command.Failed(s.why(who, g.list, s.domain, err))
			}
			return show(title, g.jids, jids, most)
		}})
	}
	return list
}

// limit reads how many accounts are wanted; none, and nothing, mean as many as fit.
func limit(text string) (most int, ok bool) {
	if text == "" || text == "none" {
		return maxListed, true
	}
	n, err := strconv.Atoi(text)
	return min(n, maxListed), err == nil && n > 0
}

func show(title, name string, jids []string, most int) (r command.Result) {
	slices.Sort(jids)
	if len(jids) > most {
		r.Note, r.Kind = fmt.Sprintf("the first %d of %d", most, len(jids)), command.Info
		jids = jids[:most]
	}
	r.Form = form(title, command.Field{Var: name, Label: "Accounts", Type: command.JIDs, Values: jids})
	return r
}
