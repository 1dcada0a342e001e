package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long something may take that must come; only what fails waits it out.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { os.Exit(tests(m)) }

func tests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-deploy-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv(binVariable, dir)
	}
	if err == nil && os.Geteuid() == 0 {
		err = sink()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// binVariable says where `make` puts what it builds.
const binVariable = "DEPLOY_BIN"

// program is the server's program that is in the images.
func program() string {
	return filepath.Join(os.Getenv(binVariable), "image", runtime.GOARCH, "signalbox")
}

// buildMutex is held while the Makefile's folder is written to.
var buildMutex sync.Mutex

// build makes the images of a version on an engine, as an operator does.
func (e *engine) build(version string, arches ...string) {
	e.t.Helper()
	buildMutex.Lock()
	defer buildMutex.Unlock()
	cmd := e.command("make", "-C", filepath.Join("..", ".."), "BIN="+os.Getenv(binVariable), "DOCKER="+docker(), "IMAGE_TAG="+version, "ARCHS="+strings.Join(arches, " "), "image")
	if out, err := cmd.CombinedOutput(); err != nil {
		e.t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	tags := strings.Fields(e.docker("images", "--filter", "reference=signalbox:"+version+"-*", "--format", "{{.Tag}}"))
	if len(tags) != len(arches) {
		e.t.Fatalf("there are images %q, want those of %q alone", tags, arches)
	}
}
