package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"signalbox/tests/harness/turnchild"
	"signalbox/tests/page"
)

// programs is the folder of the two programs as they are built for users.
var programs string

func TestMain(m *testing.M) {
	if ran, status := turnchild.Run(); ran {
		os.Exit(status)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if why := page.Missing("remote sessions in a browser"); why != "" {
		fmt.Println(why)
		return 0
	}
	var err error
	if programs, err = filepath.Abs(filepath.Join("..", "..", "bin", "browser")); err != nil {
		fmt.Println(err)
		return 1
	}
	// Into a folder that stays: what is up to date is not linked again.
	if out, err := exec.Command("go", "build", "-o", programs+string(filepath.Separator), "signalbox/cmd/...").CombinedOutput(); err != nil {
		fmt.Printf("build the programs: %v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

func server() string { return filepath.Join(programs, "signalbox") }

func agent() string { return filepath.Join(programs, "signalbox-agent") }
