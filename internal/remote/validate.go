package remote

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox/internal/channel"
	"signalbox/internal/signalling"
	"signalbox/internal/turnsession"
)

// Bounds of texts, in bytes.
const (
	MaxName = 128
	MaxText = 500
)

// kinds are the channels that a session may be for, each with its permissions. System is no kind: every session has it.
var kinds = map[string][]string{
	channel.Terminal:  {channel.MayType},
	channel.Files:     {channel.MayReadFiles, channel.MayWriteFiles},
	channel.Processes: {channel.MaySee, channel.MayKill},
	channel.Desktop:   {channel.MayWatch, channel.MayControl},
}

// complete puts in defaults.
func (c *Config) complete(s *Spec) {
	if s.MaxDuration == 0 {
		s.MaxDuration = c.Duration
	}
	if s.MaxIdle == 0 {
		s.MaxIdle = c.MaxIdle
	}
	if s.Transport == "" {
		s.Transport = signalling.TransportAuto
	}
	if s.Consent.Mode == "" {
		s.Consent.Mode = c.Consent
	}
	if s.Consent.Timeout == 0 {
		s.Consent.Timeout = c.ConsentTimeout
	}
	if len(s.Permissions) == 0 {
		for _, kind := range s.Kinds {
			s.Permissions = append(s.Permissions, kinds[kind]...)
		}
	}
}

// mistakes collects what is wrong with a request.
type mistakes turnsession.FieldErrors

func (m *mistakes) check(ok bool, pointer, format string, args ...any) {
	if !ok {
		*m = append(*m, turnsession.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
}

// err returns the mistakes as turnsession.FieldErrors, or nil.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return turnsession.FieldErrors(m)
}

// validate returns the mistakes of a complete Spec as turnsession.FieldErrors.
func (c *Config) validate(s *Spec) error {
	var m mistakes
	m.check(s.Technician.ID != "" && len(s.Technician.ID) <= turnsession.MaxTechnician && printable(s.Technician.ID),
		"/technician/id", "it has 1 to %d bytes and no control characters", turnsession.MaxTechnician)
	m.check(len(s.Technician.Name) <= MaxName && printable(s.Technician.Name), "/technician/name", "it has up to %d bytes and no control characters", MaxName)
	m.check(len(s.Why) <= MaxText && utf8.ValidString(s.Why), "/why", "it has up to %d bytes", MaxText)
	m.kinds(s)
	m.check(isMode(s.Consent.Mode), "/consent/mode", "it is none, ask_allow or ask_deny")
	m.check(within(s.Consent.Timeout, MinConsent, MaxConsent), "/consent/timeout", "it is %d to %d seconds", int(MinConsent.Seconds()), int(MaxConsent.Seconds()))
	m.check(len(s.Consent.Message) <= MaxText && utf8.ValidString(s.Consent.Message), "/consent/message", "it has up to %d bytes", MaxText)
	m.check(slices.Contains([]string{signalling.TransportAuto, signalling.TransportTURNOnly, signalling.TransportRelayOnly}, s.Transport),
		"/transport", "it is auto, turn_only or websocket_only")
	m.limits(c, s)
	return m.err()
}

func (m *mistakes) kinds(s *Spec) {
	m.check(len(s.Kinds) > 0, "/kinds", "there is at least one of desktop, terminal, files, processes")
	var allowed []string
	for i, kind := range s.Kinds {
		permissions, ok := kinds[kind]
		m.check(ok && !slices.Contains(s.Kinds[:i], kind), fmt.Sprintf("/kinds/%d", i), "it is desktop, terminal, files or processes, each once")
		allowed = append(allowed, permissions...)
	}
	for i, permission := range s.Permissions {
		m.check(slices.Contains(allowed, permission) && !slices.Contains(s.Permissions[:i], permission), fmt.Sprintf("/permissions/%d", i),
			"it is one of those of the kinds, each once: %s", strings.Join(allowed, ", "))
	}
}

// validateLimits is validate for what can be changed.
func (c *Config) validateLimits(s *Spec) error {
	var m mistakes
	m.limits(c, s)
	return m.err()
}

func (m *mistakes) limits(c *Config, s *Spec) {
	m.check(within(s.MaxDuration, MinDuration, c.MaxDuration), "/max_duration", "it is %d to %d seconds", int(MinDuration.Seconds()), int(c.MaxDuration.Seconds()))
	most := c.MaxIdle
	if most == 0 {
		most = TopDuration
	}
	never := s.MaxIdle == 0 && c.MaxIdle == 0
	m.check(never || within(s.MaxIdle, MinDuration, most), "/max_idle", "it is %d to %d seconds", int(MinDuration.Seconds()), int(most/time.Second))
	m.check(s.MaxBytes >= 0, "/max_bytes", "it is 0 or more")
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// cut returns at most MaxText bytes of valid UTF-8 without control characters: what a party says about itself.
func cut(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	end := min(len(text), MaxText)
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
