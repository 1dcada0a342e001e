package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/agent/login"
	"signalbox/xmpp/scan"
)

// Whatever the server sends as a stanza, what is taken from it is within its bounds.
func FuzzStanza(f *testing.F) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if stanza, ok := strings.CutPrefix(line, "S: "); ok {
				f.Add([]byte(stanza))
			}
		}
	}
	f.Add([]byte("<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>x</see-other-host><retry xmlns='urn:signalbox:stream:1' after='1'/></stream:error>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		in := login.NewReader(strings.NewReader(string(text)))
		must(t, in.Replay([]byte(header)))
		for {
			ev, err := in.Next()
			if err != nil {
				return
			}
			if ev.Kind != scan.TopLevel {
				continue
			}
			el := ev.Stanza.Element()
			if ev.Stanza.Kind == scan.Message {
				el = el.Child(nsPush, "push")
			}
			p := parsePush(el)
			if len(p.push.Payload) > maxPayloadBytes || p.refused != "" && p.push.Payload != nil {
				t.Fatalf("payload of %d bytes, refused %q", len(p.push.Payload), p.refused)
			}
			if !p.push.Binary && p.push.Payload != nil && !json.Valid(p.push.Payload) {
				t.Fatalf("payload %q is not JSON", p.push.Payload)
			}
			if e := login.ParseStreamError(&ev.Stanza); e.Retry > time.Hour || len(e.Text) > 256 {
				t.Fatalf("stream error out of bounds: %+v", e)
			}
		}
	})
}
