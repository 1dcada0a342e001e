package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
)

func TestEscapes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		typed []string
		send  string
		left  bool
	}{
		{"plain", []string{"ls\r"}, "ls\r", false},
		{"at once", []string{"~."}, "", true},
		{"behind a line", []string{"ls\r", "~", "."}, "ls\r", true},
		{"in a line", []string{"a~."}, "a~.", false},
		{"tilde itself", []string{"~~."}, "~.", false},
		{"something else", []string{"~/bin\r~."}, "~/bin\r", true},
	} {
		e, sent, left := escapes{fresh: true}, "", false
		for _, text := range tc.typed {
			var out []byte
			out, left = e.take([]byte(text))
			sent += string(out)
		}
		if sent != tc.send || left != tc.left {
			t.Errorf("%s: sent %q, left %v; want %q, %v", tc.name, sent, left, tc.send, tc.left)
		}
	}
}

func TestAttachArguments(t *testing.T) {
	for _, tc := range []struct {
		args, session, kind string
		rest                []string
		wrong               string
	}{
		{"ses_1", "ses_1", channel.Terminal, nil, ""},
		{"ses_1 cp a pc-1:/b", "ses_1", channel.Files, []string{"a", "pc-1:/b"}, ""},
		{"--endpoint=pc-1", "", channel.Terminal, nil, ""},
		{"--endpoint=pc-1 ps", "", channel.Processes, nil, ""},
		{"", "", "", nil, "name a session"},
		{"ses_1 fly", "", "", nil, `"fly" is none of`},
		{"--endpoint=pc-1 cp a", "", "", nil, "cp takes 2 arguments"},
	} {
		var a sessionAttach
		c := sessionAttachCommand()
		if err := c.ParseFlags(strings.Fields(tc.args)); err != nil {
			t.Fatal(err)
		}
		a.n.Endpoint, _ = c.Flags().GetString("endpoint")
		session, _, rest, err := a.parse(c, c.Flags().Args())
		if tc.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("%q: %v, want %s", tc.args, err, tc.wrong)
			}
			continue
		}
		if err != nil || session != tc.session || !slices.Equal(rest, tc.rest) || !slices.Equal(a.n.Kinds, []string{tc.kind}) {
			t.Errorf("%q: session %q, %v, %v, kinds %v", tc.args, session, rest, err, a.n.Kinds)
		}
	}
}

// TestAttachTells: each thing is told when it is news, and only then.
func TestAttachTells(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	asked := at.Add(30 * time.Second)
	active := signalling.State{
		State: "active", Endpoint: "pc-1", Technician: "Ada", Consent: signalling.ConsentAllowed, Desktop: signalling.DesktopActive, Expires: at.Add(time.Hour), Watchers: []string{"Ada"},
	}
	waiting, watched, longer := active, active, active
	waiting.State, waiting.Consent, waiting.ConsentEnds = "waiting_for_consent", signalling.ConsentAsking, &asked
	watched.Watchers = []string{"Bob", "Ada", "\x1b[2JEve"}
	longer.Expires = at.Add(2 * time.Hour)
	lost := longer
	lost.State = "reconnecting"
	for _, tc := range []struct {
		name   string
		states []signalling.State
		want   []string
	}{
		{"from the request on", []signalling.State{{State: "requested", Endpoint: "pc-1"}, {State: "requested", Endpoint: "pc-1"}}, []string{"waiting for pc-1", "nobody else watches"}},
		{
			"consent", []signalling.State{waiting, waiting, active, active},
			[]string{"the user at pc-1 is asked until 2026-01-02T03:04:35Z", "nobody else watches", "the session ends at 2026-01-02T04:04:05Z", "the user allowed it"},
		},
		{
			"nobody to ask", []signalling.State{{State: "active", Technician: "Ada", Watchers: []string{"Ada"}, Consent: signalling.ConsentNobody, Desktop: signalling.DesktopLocked}},
			[]string{"there was nobody to ask: the screen is locked", "nobody else watches"},
		},
		{
			"who watches", []signalling.State{active, watched, watched, active},
			[]string{"the user allowed it", "nobody else watches", "the session ends at 2026-01-02T04:04:05Z", "also here: Bob, ?[2JEve", "nobody else watches"},
		},
		{
			"another end, and a loss", []signalling.State{active, longer, lost},
			[]string{"the user allowed it", "nobody else watches", "the session ends at 2026-01-02T04:04:05Z", "the session ends at 2026-01-02T05:04:05Z", "waiting for a lost connection"},
		},
	} {
		var b strings.Builder
		said := newTeller(&b)
		for _, s := range tc.states {
			said.state(s)
		}
		if got, want := b.String(), "["+strings.Join(tc.want, "]\r\n[")+"]\r\n"; got != want {
			t.Errorf("%s: said %q, want %q", tc.name, got, want)
		}
	}
}

// TestAttachTellsThePath tells each change of it, also back to one that was before.
func TestAttachTellsThePath(t *testing.T) {
	var b strings.Builder
	said := newTeller(&b)
	direct := signalling.Path{Rung: signalling.RungDirect}
	for _, p := range []signalling.Path{direct, {}, direct, {Rung: signalling.RungRelay}, direct} {
		said.path(p)
	}
	want := "[connected: direct]\r\n[connected over the relay, which can read what passes]\r\n[connected: direct]\r\n"
	if got := b.String(); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

// TestAttachTellsOfTheTURNServer tells each restart of it.
func TestAttachTellsOfTheTURNServer(t *testing.T) {
	var b strings.Builder
	said := newTeller(&b)
	said.path(signalling.Path{Rung: signalling.RungTURNUDP})
	said.restarted()
	said.restarted()
	line := "[the TURN server was restarted; the connection is made again]\r\n"
	if got, want := b.String(), "[connected: turn_udp]\r\n"+line+line; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
