package remote

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, tc := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.MaxDuration = TopDuration + 1 }, "max_duration:"},
		{func(c *Config) { c.Duration = c.MaxDuration + 1 }, "duration:"},
		{func(c *Config) { c.MaxIdle = 1 }, "max_idle:"},
		{func(c *Config) { c.MaxPerTechnician = 0 }, "max_per_technician:"},
		{func(c *Config) { c.MaxPerEndpoint = 101 }, "max_per_endpoint:"},
		{func(c *Config) { c.Consent = "" }, "consent:"},
		{func(c *Config) { c.ConsentTimeout = 0 }, "consent_timeout:"},
	} {
		c := Default()
		tc.change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %v", tc.want, err)
		}
	}
}

// TestCut: what parties say about themselves is short, valid and in one line.
func TestCut(t *testing.T) {
	for _, tc := range [][2]string{
		{"so\nso", "so so"},
		{"\xff", "\uFFFD"},
		{strings.Repeat("ä", MaxText), strings.Repeat("ä", MaxText/2)},
		{"x" + strings.Repeat("ä", MaxText), "x" + strings.Repeat("ä", (MaxText-1)/2)},
	} {
		if got := cut(tc[0]); got != tc[1] {
			t.Errorf("cut(%q) = %q, want %q", tc[0], got, tc[1])
		}
	}
}
