package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"signalbox/internal/client"
)

// writeSessionGrant shows what lets a technician in.
func writeSessionGrant(w io.Writer, g client.SessionGrant) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nstate\t%s\nconsole\t%s\nuntil\t%s\nends\t%s\n", g.ID, g.State, g.ConsoleURL, timeText(g.TokenExpiresAt), timeText(g.ExpiresAt))
	return t.Flush()
}

func writeSessions(w io.Writer, all []client.Session) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tENDPOINT\tTECHNICIAN\tKINDS\tPATH\tCREATED\tENDED")
	for _, s := range all {
		ended := "-"
		if s.EndedAt != nil {
			ended = timeText(*s.EndedAt)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, sessionState(s), s.Endpoint, s.Technician.ID, strings.Join(s.Kinds, ","), cmp.Or(s.Path, "-"), timeText(s.CreatedAt), ended)
	}
	return t.Flush()
}

// sessionState is the state with what ended it.
func sessionState(s client.Session) string { return strings.TrimSuffix(s.State+", "+s.Reason, ", ") }

// writeSession shows one session with all that is known of it.
func writeSession(w io.Writer, s client.Session) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	at := func(name string, when *time.Time) {
		if when != nil {
			line(name, timeText(*when))
		}
	}
	line("id", s.ID)
	line("state", sessionState(s))
	line("detail", s.Detail)
	line("endpoint", s.Endpoint)
	line("technician", s.Technician.ID+inBrackets(s.Technician.Name))
	line("opened by", s.OpenedBy)
	line("why", s.Why)
	line("kinds", strings.Join(s.Kinds, ", "))
	line("permissions", strings.Join(s.Permissions, ", "))
	line("consent", s.Consent.Mode+inBrackets(strings.Trim(s.Consent.State+", "+s.Consent.Desktop, ", ")))
	line("transport", s.Transport)
	line("path", s.Path)
	line("limits", limitsText(s))
	line("created", timeText(s.CreatedAt))
	at("accepted", s.AcceptedAt)
	at("active", s.ActiveAt)
	at("ended", s.EndedAt)
	if s.EndedAt == nil {
		line("ends", timeText(s.ExpiresAt))
	}
	line("bytes", fmt.Sprintf("%d up, %d down", s.BytesUp, s.BytesDown))
	line("turn", s.TURNSession)
	return t.Flush()
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func limitsText(s client.Session) string {
	text := (time.Duration(s.MaxDuration) * time.Second).String()
	if s.MaxIdle > 0 {
		text += ", idle " + (time.Duration(s.MaxIdle) * time.Second).String()
	}
	if s.MaxBytes > 0 {
		text += fmt.Sprintf(", %d bytes", s.MaxBytes)
	}
	return text
}
