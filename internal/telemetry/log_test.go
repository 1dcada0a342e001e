package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
)

func TestLoggerWritesJSON(t *testing.T) {
	var out bytes.Buffer
	log, level, err := NewLogger(LogConfig{Level: "info", Format: FormatJSON}, &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Named("xmpp").Info("bound\nforged line", Endpoint("pc-1@d.test"), Detail("a\x1b[31m\nb"))
	log.Debug("not yet")
	level.SetLevel(zapcore.DebugLevel)
	log.Debug("now")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: what strangers send must not make lines of its own\n%s", len(lines), out.String())
	}
	var first map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first["endpoint"] != "pc-1@d.test" || first["logger"] != "xmpp" || first["time"] == nil {
		t.Errorf("line = %v", first)
	}
	if strings.ContainsRune(out.String(), '\x1b') {
		t.Error("a control character went through")
	}
}

func TestLogConfigMistakes(t *testing.T) {
	for _, c := range []LogConfig{{Level: "loud", Format: FormatJSON}, {Level: "info", Format: "xml"}, {}} {
		if err := c.Validate(); err == nil {
			t.Errorf("%+v is valid", c)
		}
		if _, _, err := NewLogger(c, &bytes.Buffer{}); err == nil {
			t.Errorf("a logger for %+v", c)
		}
	}
	if err := DefaultLog().Validate(); err != nil {
		t.Error(err)
	}
}
