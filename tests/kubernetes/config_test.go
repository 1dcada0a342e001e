package kubernetes

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signalbox/internal/config"
)

// hostIP stands for the address of the node.
const hostIP = "10.0.5.3"

// environment returns the variables of a container as the cluster sets them.
func (m manifests) environment(t *testing.T, c container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, from := range c.EnvFrom {
		source, ok := m["ConfigMap/"+from.ConfigMapRef.Name]
		if !ok {
			t.Fatalf("no ConfigMap %s", from.ConfigMapRef.Name)
		}
		maps.Copy(env, source.Data)
	}
	for _, e := range c.Env {
		if e.ValueFrom.FieldRef.FieldPath == "status.hostIP" {
			e.Value = hostIP
		}
		for name, value := range env {
			e.Value = strings.ReplaceAll(e.Value, "$("+name+")", value)
		}
		env[e.Name] = e.Value
	}
	return env
}

// configured writes the configuration file of a pod and returns where it is, with the environment that goes with it.
func (m manifests) configured(t *testing.T) (file string, env []string) {
	t.Helper()
	p := m.workload(t).Spec.Template.Spec
	c := p.Containers[0]
	variables := m.environment(t, c)
	at := variables["SIGNALBOX_CONFIG"]
	name := m.configMapAt(t, p, path.Dir(at))
	text, ok := m["ConfigMap/"+name].Data[path.Base(at)]
	if !ok {
		t.Fatalf("ConfigMap %s has no %s, which SIGNALBOX_CONFIG names", name, path.Base(at))
	}
	file = filepath.Join(t.TempDir(), path.Base(at))
	must(t, os.WriteFile(file, []byte(text), 0o644))
	delete(variables, "SIGNALBOX_CONFIG")
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		env = append(env, name+"="+variables[name])
	}
	return file, env
}

// configMapAt returns the name of the ConfigMap that is mounted somewhere.
func (m manifests) configMapAt(t *testing.T, p pod, dir string) string {
	t.Helper()
	for _, mount := range p.Containers[0].VolumeMounts {
		for _, v := range p.Volumes {
			if mount.MountPath == dir && v.Name == mount.Name && v.ConfigMap != nil {
				return v.ConfigMap.Name
			}
		}
	}
	t.Fatalf("no ConfigMap is mounted at %s", dir)
	return ""
}

// settings returns the configuration that a pod's program has.
func (m manifests) settings(t *testing.T) config.Config {
	t.Helper()
	file, env := m.configured(t)
	cfg, warnings, err := config.Load(config.Source{File: file, Environ: env})
	must(t, err)
	if len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
	return cfg
}

// TestConfigCheck: the program has nothing to say about file and environment of each pod: no mistake, no name that it does not know.
func TestConfigCheck(t *testing.T) {
	for _, kustomization := range all {
		file, env := load(t, kustomization).configured(t)
		cmd := exec.CommandContext(t.Context(), program, "config", "check", "--config", file, "-o", "json")
		cmd.Env = env
		out, err := cmd.Output()
		var said struct {
			OK                 bool
			Mistakes, Warnings []string
		}
		if errJSON := json.NewDecoder(bytes.NewReader(out)).Decode(&said); err != nil || errJSON != nil || !said.OK || len(said.Warnings) > 0 {
			t.Errorf("%s: config check: %v, %v: %+v", kustomization, err, errJSON, said)
		}
	}
}

// TestCommands: each pod runs a command of the program, with flags that it has.
func TestCommands(t *testing.T) {
	for kustomization, want := range map[string]string{"overlays/single-node": "serve", "overlays/load-balancer": "serve", "turn": "turn"} {
		c := load(t, kustomization).workload(t).Spec.Template.Spec.Containers[0]
		if len(c.Args) == 0 || c.Args[0] != want {
			t.Errorf("%s runs %q, want %s", kustomization, c.Args, want)
		}
		out, err := exec.CommandContext(t.Context(), program, append(slices.Clone(c.Args), "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "signalbox "+want) {
			t.Errorf("%s: signalbox %q --help: %v: %s", kustomization, c.Args, err, out)
		}
	}
}

// TestServiceVariables: the cluster must not set variables of Services, whose names could be those of keys.
func TestServiceVariables(t *testing.T) {
	for _, kustomization := range all {
		if links := load(t, kustomization).workload(t).Spec.Template.Spec.EnableServiceLinks; links == nil || *links {
			t.Errorf("%s: enableServiceLinks must be false", kustomization)
		}
	}
}
