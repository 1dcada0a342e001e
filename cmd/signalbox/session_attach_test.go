package main

import (
	"slices"
	"strings"
	"testing"

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

func TestAttachTells(t *testing.T) {
	var b strings.Builder
	said := &teller{w: &b}
	said.state(signalling.State{State: "requested", Endpoint: "pc-1"})
	said.state(signalling.State{State: "requested", Endpoint: "pc-1"})
	said.state(signalling.State{State: "active", Endpoint: "pc-1"})
	said.path(signalling.Path{Rung: signalling.RungDirect})
	said.path(signalling.Path{})
	said.path(signalling.Path{Rung: signalling.RungRelay})
	want := "[waiting for pc-1]\r\n[connected: direct]\r\n[connected over the relay, which can read what passes]\r\n"
	if got := b.String(); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
