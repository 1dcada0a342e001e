package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/tests/harness"
)

// refusals returns what the server's audit trail has of refusals, the oldest first, and its text.
func (w *world) refusals() (all []string, text string) {
	w.t.Helper()
	_, text = w.server.Call(w.t, http.MethodGet, "/v1/audit?action=session.refused&limit=100", "", http.StatusOK)
	var page struct {
		Items []struct {
			Actor, Subject string
			Detail         json.RawMessage
		}
	}
	must(w.t, json.Unmarshal([]byte(text), &page))
	for _, e := range slices.Backward(page.Items) {
		all = append(all, fmt.Sprintf("%s %s %s", e.Actor, e.Subject, e.Detail))
	}
	return all, text
}

// TestBlocked: paths that lead out of the folder of technicians, and messages that break the rules of a channel, are refused by the endpoint, and are in the server's audit trail once
// in a session, with nothing of what was asked for.
func TestBlocked(t *testing.T) {
	all := t.TempDir()
	folder, secret := filepath.Join(all, "folder"), filepath.Join(all, "secret")
	must(t, errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(secret, []byte("secret"), 0o600), os.Symlink(secret, filepath.Join(folder, "link"))))
	w := newConfinedWorld(t, false, folder)
	var want []string
	for range 2 {
		a := w.attach("websocket_only")
		f := channels.NewFiles(a.open(channel.Files))
		for _, path := range []string{secret, folder + "/../secret", folder + "/link/x", "/etc/passwd"} {
			var refusal *channel.Error
			if _, err := f.Stat(t.Context(), path); !errors.As(err, &refusal) {
				t.Errorf("%s: %v, want a refusal", path, err)
			}
		}
		if _, err := f.Stat(t.Context(), folder); err != nil {
			t.Errorf("the folder itself: %v", err)
		}
		must(t, f.Close())
		for range 2 {
			c := a.open(channel.Processes)
			must(t, c.Send(t.Context(), channel.Message{Text: true, Data: []byte(`{"list":{"of":"secret"}}`)}))
			if m, err := c.Receive(t.Context()); err != nil || !strings.Contains(string(m.Data), channel.CodeInvalid) {
				t.Errorf("a message that is malformed is answered by %s, %v", m.Data, err)
			}
			_ = c.Close() // its other side has
		}
		want = append(want, "endpoint:pc-1 "+a.id+` {"why":"path","kind":"files"}`, "endpoint:pc-1 "+a.id+` {"why":"malformed","kind":"processes"}`)
		var got []string
		var text string
		harness.Await(t, func() bool {
			got, text = w.refusals()
			return slices.Equal(got, want)
		}, func() string { return fmt.Sprintf("the audit trail has %q, want %q", got, want) })
		if strings.Contains(text, "secret") || strings.Contains(text, "passwd") {
			t.Errorf("the audit trail has what was asked for: %s", text)
		}
		must(t, a.End(t.Context()))
		must(t, <-a.ended)
	}
}
