package remote

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// TestAuditRecord: the audit says of a session, word for word, who asked for it, with whom, whom it was about, why and with which rights, how the user was asked and what they
// answered, by which way the parties reached each other, how much they moved, over TURN, too, and why it ended.
func TestAuditRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		o := b.opened(func(s *Spec) {
			s.Permissions, s.NotifyUser = []string{channel.MayType, channel.MayReadFiles}, true
		})
		s, _ := b.attached(o)
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAsking, Seconds: 20, Desktop: signalling.DesktopLocked})
		b.hear(signalling.Consent{About: about(o.ID), State: signalling.ConsentAllowed, Desktop: signalling.DesktopActive})
		b.hear(signalling.Accept{About: about(o.ID), Capabilities: []string{channel.Terminal, channel.Files}})
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungTURNTCP, Up: 1})
		after(time.Minute)
		b.hear(signalling.Path{About: about(o.ID), Rung: signalling.RungTURNTCP, Up: 100, Down: 2000})
		s.says(t, signalling.End{About: about(o.ID), Reason: "technician_ended", Detail: "done"})

		var got []string
		for _, e := range b.store.entries {
			if e.Domain != domain || e.Subject != o.ID.String() || e.At.IsZero() {
				t.Errorf("%s is of %q in %q at %v", e.Action, e.Subject, e.Domain, e.At)
			}
			got = append(got, fmt.Sprintf("%s %s %s", e.Action, e.Actor, e.Detail))
		}
		want := []string{
			`session.requested token:management {"endpoint":"pc-1","technician":{"id":"ann","name":"Ann Lee"},"why":"ticket 4711","kinds":["terminal","files"],` +
				`"permissions":["terminal.type","files.read"],"consent":"ask_deny","notify_user":true,"transport":"auto","expires":"` + o.Session.Expires.Format(time.RFC3339Nano) + `"}`,
			`session.attached technician:ann {"from":"198.51.100.7","again":false}`,
			`session.consent endpoint:pc-1 {"state":"asking","desktop":"locked"}`,
			`session.consent endpoint:pc-1 {"state":"allowed","desktop":"active"}`,
			`session.accepted endpoint:pc-1 {"capabilities":["terminal","files"]}`,
			`session.active endpoint:pc-1 {"rung":"turn_tcp"}`,
			`session.ended technician:ann {"reason":"technician_ended","detail":"done","seconds":60,"bytes_up":100,"bytes_down":2000,"path":"turn_tcp",` +
				`"turn":{"session":"trn_0000000000001","counters":{"allocations":0,"open_allocations":0,"packets_up":0,"packets_down":0,"bytes_up":0,"bytes_down":0}}}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}
