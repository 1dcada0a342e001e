package remote

import (
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// TestTURNRestarted: an endpoint writes into its log that the TURN server was restarted, and leaves the rest to the technician.
func TestTURNRestarted(t *testing.T) {
	w := newWorld(t, DefaultConfig(), nil)
	core, logged := observer.New(zap.InfoLevel)
	w.log = zap.New(core)
	w.begin(grant())
	must(t, w.Take(signalling.Restarted{About: signalling.About{ID: "ses_1"}}))
	w.send(channel.Terminal, 0) // behind it
	if n := logged.FilterMessageSnippet("the TURN server was restarted").Len(); n != 1 {
		t.Errorf("%d lines in the log, want one", n)
	}
	w.End("ses_1", "")
	w.ends(userEnded)
}
