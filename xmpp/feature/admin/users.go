package admin

import (
	"context"
	"slices"
	"time"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature/command"
)

// users are the commands that show one account (XEP-0133 sections 4.8 to 4.10).
func (s *service) users() []command.Command {
	list := []command.Command{
		s.one("get-user-lastlogin", "Show an account's last login", s.lastLogin),
		s.one("user-stats", "Show an account's sessions", s.statistics),
	}
	if s.Roster == nil {
		return list
	}
	return append(list, s.one("get-user-roster", "Show an account's roster", s.roster))
}

// lastLogin shows when the newest session began; of an account without one, when it was last heard of: when that session began is not kept.
func (s *service) lastLogin(ctx context.Context, k endpoint.Key) (*command.Form, error) {
	r, err := s.Directory.Endpoint(ctx, k)
	if err != nil {
		return nil, err
	}
	at := r.Presence.LastHeard
	for i, session := range s.Registry.AppendSessions(nil, k) {
		if bound := session.Facts().Bound; i == 0 || bound.After(at) {
			at = bound
		}
	}
	text := "never"
	if !at.IsZero() {
		text = at.UTC().Format(time.RFC3339)
	}
	return form("Last login", command.Field{Var: "lastlogin", Label: "Last login, or when it was last heard of", Type: command.Text, Values: []string{text}}), nil
}

func (s *service) statistics(ctx context.Context, k endpoint.Key) (*command.Form, error) {
	if _, err := s.Directory.Endpoint(ctx, k); err != nil {
		return nil, err
	}
	var addresses, resources []string
	for _, session := range s.Registry.AppendSessions(nil, k) {
		f := session.Facts()
		addresses, resources = append(addresses, f.Remote.Addr().String()), append(resources, f.Resource)
	}
	slices.Sort(addresses)
	return form("Sessions",
		command.Field{Var: "ipaddresses", Label: "Addresses", Type: command.Texts, Values: slices.Compact(addresses)},
		command.Field{Var: "onlineresources", Label: "Resources", Type: command.Texts, Values: resources},
	), nil
}

func (s *service) roster(ctx context.Context, k endpoint.Key) (*command.Form, error) {
	xml, err := s.Roster(ctx, k)
	if err != nil {
		return nil, err
	}
	f := form("Roster")
	f.Payload = xml
	return f, nil
}
