package render

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const deploy = "../../../deploy/kubernetes"

// kustomizations are those that somebody applies.
var kustomizations = []string{"overlays/single-node", "overlays/load-balancer", "turn"}

// render returns the objects of a kustomization.
func render(t *testing.T, path string) resmap.ResMap {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestKustomizations: each is rendered and judged; RENDERED names a folder for what is rendered, as lists of JSON.
func TestKustomizations(t *testing.T) {
	for _, k := range kustomizations {
		t.Run(k, func(t *testing.T) {
			objects := render(t, filepath.Join(deploy, k))
			judgeAll(t, objects)
			if folder := os.Getenv("RENDERED"); folder != "" {
				write(t, filepath.Join(folder, filepath.Base(k)+".json"), objects)
			}
		})
	}
}

func write(t *testing.T, path string, objects resmap.ResMap) {
	t.Helper()
	var list []json.RawMessage
	for _, o := range objects.Resources() {
		text, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	text, err := json.Marshal(list)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
