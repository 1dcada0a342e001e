package webhooks

import (
	"errors"
	"testing"

	"signalbox/internal/client"
	"signalbox/internal/config"
)

type configType = config.Config

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) || p.Code != code {
		t.Errorf("error = %v, want %s", err, code)
	}
}
