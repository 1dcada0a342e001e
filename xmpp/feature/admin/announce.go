package admin

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"signalbox/internal/endpoint"
	"signalbox/xmpp/feature"
	"signalbox/xmpp/feature/command"
	"signalbox/xmpp/scan"
)

// Bounds of an announcement, since each session gets a copy.
const (
	maxSubjectBytes      = 256
	maxAnnouncementBytes = 4096
)

// announcements is the command of XEP-0133 section 4.23.
func (s *service) announcements() []command.Command {
	const title = "Send an announcement to online accounts"
	return []command.Command{{
		Node: node("announce"), Name: title, Run: s.announce,
		Form: form(title,
			command.Field{Var: "subject", Label: "Subject", Type: command.Text},
			command.Field{Var: "announcement", Label: "Announcement", Type: command.Texts, Required: true},
		),
	}}
}

// announce sends a headline, which nobody keeps, to every session that takes stanzas.
func (s *service) announce(_ context.Context, who endpoint.Key, filled command.Values) command.Result {
	subject, text := filled.First("subject"), strings.Join(filled["announcement"], "\n")
	switch {
	case strings.TrimSpace(text) == "":
		return command.Failed("the announcement is empty")
	case len(subject) > maxSubjectBytes || len(text) > maxAnnouncementBytes:
		return command.Failed(fmt.Sprintf("at most %d bytes of subject and %d of announcement are allowed", maxSubjectBytes, maxAnnouncementBytes))
	}
	content := announcement(subject, text)
	reached := 0
	for b := range s.Registry.All() {
		c, ok := b.Session.(feature.Client)
		if ok && b.Domain == s.domain && b.Available && !b.Suspended && c.Send(s.addressed(c.JID(), content)) {
			reached++
		}
	}
	s.audit(who, "announce", s.domain)
	return command.Result{Note: fmt.Sprintf("%d sessions got it", reached), Kind: command.Info}
}

func announcement(subject, text string) []byte {
	var b []byte
	if subject != "" {
		b = append(scan.AppendText(append(b, "<subject>"...), subject), "</subject>"...)
	}
	return append(scan.AppendText(append(b, "<body>"...), text), "</body>"...)
}

func (s *service) addressed(to string, content []byte) []byte {
	b := make([]byte, 0, len(content)+len(to)+128)
	b = append(append(append(b, "<message type='headline' from='"...), s.domain...), "' id='"...)
	b = append(append(b, rand.Text()...), "' to='"...)
	b = append(scan.AppendEscaped(b, to), "'>"...)
	return append(append(b, content...), "</message>"...)
}
