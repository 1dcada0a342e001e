package agent

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/internal/agent/journal"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

// envProgram turns this test binary into a handler's program.
const envProgram = "SIGNALBOX_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(envProgram); name != "" {
		os.Exit(runProgram(name))
	}
	goleak.VerifyTestMain(m)
}

// runProgram is what handlers run in tests.
func runProgram(name string) int {
	if len(os.Args) == 3 && os.Args[1] == "effect" { // the handler of the agent below, which inherits its environment
		f, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 1
		}
		fmt.Fprintln(f, os.Getenv(envPushID))
		return 0
	}
	switch name {
	case "agent": // with the configuration named by the argument
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		cfg, err := Load(os.Args[1], nil)
		if err != nil {
			return 78
		}
		a, err := New(cfg, "v", zap.NewNop())
		if err != nil || a.Run(ctx) != nil {
			return 1
		}
	case "echo":
		io.Copy(os.Stdout, os.Stdin)
	case "env":
		fmt.Print(os.Getenv(envPushID), " ", os.Getenv(envPushType), " ", strings.Join(os.Args[1:], ","))
	case "silent":
	case "much":
		io.Copy(os.Stdout, strings.NewReader(strings.Repeat("<", 1<<20)))
	case "broken":
		os.Stdout.Write([]byte("{\"a\":\"\xff\xef\xbf\xbe\"}"))
	case "fail":
		fmt.Print("ignored")
		fmt.Fprint(os.Stderr, "no disk")
		return 3
	case "hang": // with a child that holds the lock named by the argument
		child := exec.Command(os.Args[0], os.Args[1])
		child.Env = append(os.Environ(), envProgram+"=lock")
		child.Stdout = os.Stdout
		child.Start()
		fmt.Fprint(os.Stderr, "hanging")
		<-time.After(time.Hour)
	case "lock":
		if _, err := journal.Open(filepath.Dir(os.Args[1]), testKeep, time.Now(), zap.NewNop()); err != nil { // its lock has that name
			return 1
		}
		<-time.After(time.Hour)
	case "leave": // ends well, but its child keeps the output open
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), envProgram+"=linger")
		child.Stdout = os.Stdout
		child.Start()
		fmt.Print("left")
	case "linger":
		<-time.After(4 * time.Second)
	}
	return 0
}
