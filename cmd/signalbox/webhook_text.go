package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"signalbox/internal/client"
)

// writeWebhook shows one webhook to people.
func writeWebhook(w io.Writer, h client.Webhook) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("id", h.ID)
	line("url", h.URL)
	line("description", h.Description)
	line("types", typesText(h.Types))
	line("secret", h.Secret)
	for _, k := range h.Keys {
		text := strings.TrimSpace(k.Signature + " " + k.PublicKey)
		if !k.ExpiresAt.IsZero() {
			text += " until " + timeText(k.ExpiresAt)
		}
		line("signs", text)
	}
	s := h.Status
	line("state", webhookState(s))
	line("what to do", s.Action)
	line("next attempt", timeText(s.NextAttempt))
	line("waiting", strconv.FormatInt(s.Pending, 10))
	line("waiting since", timeText(s.PendingSince))
	if s.SetAside > 0 {
		line("set aside", strconv.Itoa(s.SetAside))
	}
	line("last success", timeText(s.LastSuccess))
	return t.Flush()
}

func typesText(types []string) string {
	return cmp.Or(strings.Join(types, ", "), "all but push.accepted and push.sent")
}

func webhookState(s client.WebhookStatus) string {
	text := s.State
	if s.State == "failing" {
		text += fmt.Sprintf(" since %s, %s", timeText(s.FailingSince), plural(s.Failures, "attempt"))
	}
	if s.State != "ok" && s.Error != "" {
		text += ": " + s.Error
	}
	return text
}

func writeWebhooks(w io.Writer, all []client.Webhook) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tWAITING\tURL\tTYPES")
	for _, h := range all {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", h.ID, h.Status.State, h.Status.Pending, h.URL, typesText(h.Types))
	}
	return t.Flush()
}

func writeDeliveries(w io.Writer, all []client.WebhookDelivery) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tEVENT\tTYPE\tENDPOINT\tATTEMPT\tSTATUS\tMS\tRESULT\tNEXT")
	for _, d := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\n", timeText(d.At), d.Event, d.Type, cmp.Or(d.Endpoint, "-"), d.Attempt, statusText(d.Status), d.Millis,
			cmp.Or(d.Error, "taken"), cmp.Or(timeText(d.NextAttempt), "-"))
	}
	return t.Flush()
}

func statusText(status int) string {
	if status == 0 {
		return "-"
	}
	return strconv.Itoa(status)
}

// writeTest says what came of a test.
func writeTest(w io.Writer, d client.WebhookDelivery) error {
	if d.OK {
		_, err := fmt.Fprintf(w, "taken with status %d after %d ms\n", d.Status, d.Millis)
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", d.Error, d.Action)
	return err
}
