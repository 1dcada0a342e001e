package agent

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
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
	switch name {
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
		lockFile(os.Args[1])
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
