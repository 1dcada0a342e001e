// Package turnchild has a test's program be the TURN process of its own server. It stands apart from the harness, so that others do not link the TURN server.
package turnchild

import (
	"context"
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"signalbox/tests/harness"
	"signalbox/turn"
	"signalbox/turn/control"
)

// Run is the TURN process, if this program was started as that, and returns the status to end with. TestMain begins with it.
func Run() (ran bool, status int) {
	if len(os.Args) != 2 || os.Args[1] != harness.TURNProcess {
		return false, 0
	}
	in, err := control.Inherit()
	if err == nil {
		err = turn.Supervised(context.Background(), in, zap.NewNop(), prometheus.NewRegistry())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "TURN process:", err)
		return true, 1
	}
	return true, 0
}
