package tests

import (
	"os"
	"testing"

	"signalbox/tests/harness/turnchild"
)

func TestMain(m *testing.M) {
	if ran, status := turnchild.Run(); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}
