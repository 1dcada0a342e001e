package diagnosis

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"signalbox/internal/endpoint"
)

// eventData is what is read of the data of an event of an endpoint; each kind has some of it.
type eventData struct {
	Reason     string   `json:"reason"`
	RemoteAddr string   `json:"remote_addr"`
	Via        string   `json:"via"`
	TLSVersion string   `json:"tls_version"`
	Enabled    bool     `json:"enabled"`
	Changed    []string `json:"changed"`
	ID         string   `json:"id"` // of a remote session
	Technician struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"technician"`
	Consent string `json:"consent"`
	Path    string `json:"path"`
}

// entryOf tells an event of an endpoint.
func entryOf(id string, e StoredEvent) Entry {
	var d eventData
	_ = json.Unmarshal(e.Data, &d) // of a kind that is told differently nothing is said
	return Entry{At: e.At, Kind: e.Kind, Reason: d.Reason, Address: d.RemoteAddr, Count: 1, order: e.Seq, Summary: eventText(id, e.Kind, d)}
}

func eventText(id, kind string, d eventData) string {
	switch kind {
	case "endpoint.online":
		return id + " came online" + from(d) + "."
	case "endpoint.offline":
		return id + " went offline" + because(d.Reason)
	case "endpoint.detached":
		return id + " lost its session, which counts as offline only if it does not come back soon" + because(d.Reason)
	case "endpoint.resumed":
		return id + " came back in time" + from(d) + ", so nobody was told that it was away."
	case "endpoint.never":
		return id + " has never been online."
	case "endpoint.flapping":
		return id + " comes and goes too often to be called online or offline."
	case "endpoint.cloned":
		return "Two machines log in as " + id + "."
	case "endpoint.created":
		return id + " was registered."
	case "endpoint.deleted":
		return id + " was deleted."
	case "endpoint.updated":
		return changedText(id, d)
	case "session.requested", "session.consent", "session.accepted", "session.active", "session.lost", "session.returned", "session.changed", "session.ended":
		return sessionText(id, strings.TrimPrefix(kind, "session."), d)
	}
	return strings.ReplaceAll(kind, ".", " ") + "."
}

// sessionText tells what happened in a remote session.
func sessionText(id, what string, d eventData) string {
	who := cmp.Or(d.Technician.Name, d.Technician.ID)
	session := "The remote session " + d.ID + " of " + who
	switch what {
	case "requested":
		return who + " asked for the remote session " + d.ID + " with " + id + "."
	case "consent":
		return session + " asked the user at " + id + inBrackets(d.Consent) + "."
	case "accepted":
		return id + " accepted the remote session " + d.ID + " of " + who + "."
	case "active":
		return session + " reached " + id + inBrackets(d.Path) + "."
	case "lost":
		return session + " lost a party, which may come back."
	case "returned":
		return session + " goes on."
	case "changed":
		return "The limits of the remote session " + d.ID + " were changed."
	}
	return session + " ended" + inBrackets(d.Reason) + "."
}

func changedText(id string, d eventData) string {
	switch {
	case slices.Contains(d.Changed, "enabled") && d.Enabled:
		return id + " was enabled."
	case slices.Contains(d.Changed, "enabled"):
		return id + " was disabled."
	case slices.Contains(d.Changed, "secret"):
		return "The secret of " + id + " was changed."
	case len(d.Changed) > 0:
		return "The " + strings.Join(d.Changed, " and ") + " of " + id + " were changed."
	}
	return id + " was changed."
}

func from(d eventData) (text string) {
	if d.RemoteAddr != "" {
		text = " from " + d.RemoteAddr
	}
	if d.Via != "" {
		text += " by " + d.Via
	}
	return text
}

// because ends a sentence with a reason and what it means.
func because(reason string) string {
	if reason == "" {
		return "."
	}
	text := " (" + reason + ")"
	for _, r := range endpoint.Reasons() {
		if r.Name != reason {
			continue
		}
		doc := strings.TrimSuffix(r.Doc, ".")
		first := []rune(doc)
		first[0] = unicode.ToLower(first[0])
		doc, _, _ = strings.Cut(string(first), ". ")
		return text + ": " + doc + "."
	}
	return text + "."
}
