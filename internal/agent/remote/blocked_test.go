package remote

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/internal/agent/capability"
	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

// refuser is a capability that refuses all: by what it is told, and then by its end.
type refuser struct{ echo }

func (r *refuser) Open(s capability.Session) capability.Instance {
	_ = s.Refuse("files.read")
	s.Tell(signalling.BlockedPath)
	s.Tell(signalling.BlockedPath)
	return r
}

func (*refuser) Serve(ctx context.Context, c channel.Conn) error {
	return capability.Malformed(ctx, c, channel.Refuse(channel.CodeInvalid, "it is no message"))
}

// TestRefusalsAreTold: the server hears of what was refused to the technician once for each kind of channel and why, and again after a login.
func TestRefusalsAreTold(t *testing.T) {
	w := newWorld(t, DefaultConfig(), nil, &refuser{echo{name: channel.Files}}, &echo{name: channel.Terminal}, &echo{name: channel.Processes})
	w.begin(grant(func(g *signalling.Grant) { g.Kinds = []string{channel.Files} }))
	for range 3 {
		for _, name := range []string{channel.Files, channel.Processes, channel.Desktop} {
			c := w.open(name)
			_, err := c.Receive(t.Context())
			must(t, err)
			<-c.over
		}
	}
	hear := func(n int) (all []string) {
		for range n {
			m := w.hear()
			all = append(all, fmt.Sprintf("%+v", m))
		}
		return all
	}
	want := []string{
		"{About:{ID:ses_1} Channel:files Why:permission}", "{About:{ID:ses_1} Channel:files Why:path}", "{About:{ID:ses_1} Channel:files Why:malformed}",
		"{About:{ID:ses_1} Channel:processes Why:permission}",
	}
	if diff := cmp.Diff(want, hear(4)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	w.online()
	if m, ok := w.hear().(signalling.Accept); !ok || !m.Resumed {
		t.Errorf("after a login: %+v", m)
	}
	if diff := cmp.Diff(want, hear(4)); diff != "" {
		t.Errorf("told after a login (-want +got):\n%s", diff)
	}
	w.End("ses_1", "")
	w.ends(userEnded)
}
