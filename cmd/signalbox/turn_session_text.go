package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"signalbox/internal/client"
)

// writeTURNGrant shows what both sides need.
func writeTURNGrant(w io.Writer, g client.TURNGrant) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nends\t%s\n", g.ID, timeText(g.ExpiresAt))
	for _, side := range []struct {
		name string
		client.TURNCredentials
	}{{"a", g.Sides.A}, {"b", g.Sides.B}} {
		fmt.Fprintf(t, "side %s\t%s\n\t%s\n\tuntil %s\n", side.name, side.Username, side.Credential, timeText(side.ExpiresAt))
	}
	for _, u := range g.Sides.A.URLs {
		fmt.Fprintf(t, "server\t%s\n", u)
	}
	return t.Flush()
}

func writeTURNSessions(w io.Writer, all []client.TURNSession) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tOPENED BY\tTECHNICIAN\tSIDES\tCREATED\tENDED\tBYTES")
	for _, s := range all {
		ended := "-"
		if s.EndedAt != nil {
			ended = timeText(*s.EndedAt)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.State, s.OpenedBy, cmp.Or(s.Technician, "-"), partiesText(s.Endpoints), timeText(s.CreatedAt), ended, bytesText(s.Counters))
	}
	return t.Flush()
}

func partiesText(p *client.TURNParties) string {
	if p == nil {
		return "-"
	}
	return cmp.Or(p.A, "-") + ", " + cmp.Or(p.B, "-")
}

func bytesText(c *client.TURNCounters) string {
	if c == nil {
		return "-"
	}
	return fmt.Sprintf("%d up, %d down", c.BytesUp, c.BytesDown)
}

// writeTURNSession shows one session with all that is known of it.
func writeTURNSession(w io.Writer, s client.TURNSession) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("id", s.ID)
	line("state", strings.TrimSuffix(s.State+", "+s.Reason, ", "))
	line("opened by", s.OpenedBy)
	line("technician", s.Technician)
	if s.Endpoints != nil {
		line("endpoints", partiesText(s.Endpoints))
	}
	line("peers", strings.Join(s.AllowPeers, ", "))
	line("created", timeText(s.CreatedAt))
	line("ends", timeText(s.ExpiresAt))
	if s.EndedAt != nil {
		line("ended", timeText(*s.EndedAt))
	}
	if c := s.Counters; c != nil {
		line("allocations", fmt.Sprintf("%d made, %d there", c.Allocations, c.OpenAllocations))
		line("packets", fmt.Sprintf("%d up, %d down", c.PacketsUp, c.PacketsDown))
		line("bytes", bytesText(c))
		line("drops", tallyText(c.Drops))
		line("refused peers", tallyText(c.RefusedPeers))
	}
	if s.CountedAt != nil {
		line("counted", timeText(*s.CountedAt))
	}
	return t.Flush()
}

// tallyText lists what was counted by name.
func tallyText(counts map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
