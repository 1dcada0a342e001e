package doctor

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	const agrees, alone = "ok this machine's clock: agrees with that of the management server", "; there was no other clock to compare it with: no management server is set"
	for _, tc := range []struct {
		name string
		edit func(*testing.T, *examination)
		want string
	}{
		{"agrees", func(t *testing.T, x *examination) { receive(t, x, 200, itsm, false) }, agrees},
		{"agrees, though no time server is followed", func(t *testing.T, x *examination) { receive(t, x, 200, itsm, true); x.unsynced = true }, agrees},
		{"a little behind", func(t *testing.T, x *examination) {
			receive(t, x, 200, itsm, true)
			x.now = x.now.Add(-time.Minute)
		}, "warning this machine's clock: is "},
		{"an hour ahead", func(t *testing.T, x *examination) {
			receive(t, x, 200, itsm, true)
			x.now = x.now.Add(time.Hour)
		}, "wrong this machine's clock: is "},
		{"nobody to ask", func(*testing.T, *examination) {}, alone},
		{"nobody to ask, and no time server", func(_ *testing.T, x *examination) { x.unsynced = true }, "warning this machine's clock: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := example(t)
			tc.edit(t, x)
			x.take(t.Context(), []Step{Clock})
			wantLines(t, x, "ok signalbox.yaml", tc.want)
		})
	}
}
