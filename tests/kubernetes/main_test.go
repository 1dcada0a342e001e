package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const deploy = "../../deploy/kubernetes"

// Where TestMain put what the tests share.
var (
	program string // signalbox
	folder  string // the rendered manifests
	judged  []byte // what was said while they were rendered and judged
	unfit   error  // of that
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "signalbox-kubernetes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program, folder = filepath.Join(dir, "signalbox"), filepath.Join(dir, "manifests")
	if out, err := exec.Command("go", "build", "-o", program, "signalbox/cmd/signalbox").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	// The code of Kubernetes has a module of its own, so that the product's has nothing of it.
	judge := exec.Command("go", "test", "-count=1", "./...")
	judge.Dir = "render"
	judge.Env = append(os.Environ(), "RENDERED="+folder)
	judged, unfit = judge.CombinedOutput()
	return m.Run()
}

// TestManifests: everything that is rendered is what an API server accepts.
func TestManifests(t *testing.T) {
	if unfit != nil {
		t.Errorf("%v\n%s", unfit, judged)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// manifests are the objects of one kustomization, by kind and name.
type manifests map[string]object

// The kustomizations that somebody applies, and those of them that run a server.
var (
	all     = []string{"overlays/single-node", "overlays/load-balancer", "turn"}
	servers = all[:2]
)

// load reads what was rendered of a kustomization.
func load(t *testing.T, kustomization string) manifests {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, filepath.Base(kustomization)+".json"))
	must(t, err)
	var list []object
	must(t, json.Unmarshal(text, &list))
	found := manifests{}
	for _, o := range list {
		found[o.Kind+"/"+o.Metadata.Name] = o
	}
	return found
}

// workload returns the one object that runs a pod.
func (m manifests) workload(t *testing.T) object {
	t.Helper()
	var found []object
	for _, o := range m {
		if o.Kind == "StatefulSet" || o.Kind == "Deployment" {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d workloads", len(found))
	}
	return found[0]
}

// of returns the objects of a kind.
func (m manifests) of(kind string) (list []object) {
	for _, o := range m {
		if o.Kind == kind {
			list = append(list, o)
		}
	}
	return list
}
