package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"signalbox/internal/client"
)

// writeEndpoint shows one endpoint to people.
func writeEndpoint(w io.Writer, e client.Endpoint) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("id", e.ID)
	line("jid", e.JID)
	line("secret", e.Secret)
	line("enabled", fmt.Sprint(e.Enabled))
	line("labels", labelText(e.Labels))
	line("groups", strings.Join(e.Groups, ", "))
	line("created", timeText(e.CreatedAt))
	p := e.Presence
	line("presence", presenceText(p))
	line("trouble", troubleText(p))
	line("session since", timeText(p.SessionSince))
	if p.LastReason != "" {
		line("last end", timeText(p.LastEnd)+" ("+p.LastReason+")")
	}
	line("last heard", timeText(p.LastHeard))
	line("address", strings.TrimSpace(p.RemoteAddr+" "+p.Via+" "+p.TLSVersion))
	if p.Intercepted {
		line("intercepted", "TLS is opened on its way, and its policy lets it be here all the same")
	}
	if p.QueuedPushes > 0 {
		line("waiting pushes", strconv.Itoa(p.QueuedPushes))
	}
	return t.Flush()
}

func writeEndpoints(w io.Writer, all []client.Endpoint) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tPRESENCE\tENABLED\tGROUPS\tLABELS")
	for _, e := range all {
		fmt.Fprintf(t, "%s\t%s\t%v\t%s\t%s\n", e.ID, presenceText(e.Presence), e.Enabled, cmp.Or(strings.Join(e.Groups, ","), "-"), cmp.Or(labelText(e.Labels), "-"))
	}
	return t.Flush()
}

func presenceText(p client.Presence) string {
	text := p.State
	if !p.Since.IsZero() {
		text += " since " + timeText(p.Since)
	}
	if p.Reason != "" {
		text += " (" + p.Reason + ")"
	}
	return text
}

func labelText(labels map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return strings.Join(pairs, ",")
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
