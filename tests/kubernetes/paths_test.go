package kubernetes

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// secretKeys are the files that the programs expect of each Secret. README.md says how each is made.
var secretKeys = map[string][]string{
	"signalbox-certificates": {"example.com.pem"},
	"signalbox-api-tls":      {"tls.crt", "tls.key"},
	"signalbox-turn-control": {"ca.crt", "tls.crt", "tls.key"},
}

// mountedAt returns what holds a path in a pod: the mount, and the name of the Secret if it is one.
func mountedAt(p pod, file string) (mount string, readOnly bool, secret string) {
	for _, m := range p.Containers[0].VolumeMounts {
		if file != m.MountPath && !strings.HasPrefix(file, m.MountPath+"/") {
			continue
		}
		mount, readOnly = m.MountPath, m.ReadOnly
		for _, v := range p.Volumes {
			if v.Name == m.Name && v.Secret != nil {
				secret = v.Secret.SecretName
			}
		}
	}
	return mount, readOnly, secret
}

// TestPaths: every file of the configuration lies in the Secret that has it, the certificate bundle under the name that the server looks for, the state on the volume.
func TestPaths(t *testing.T) {
	for _, kustomization := range all {
		m := load(t, kustomization)
		cfg, p := m.settings(t), m.workload(t).Spec.Template.Spec
		files := []string{cfg.TURN.Control.CertFile, cfg.TURN.Control.KeyFile, cfg.TURN.Control.CAFile}
		if kustomization != "turn" {
			files = append(files, cfg.API.TLS.CertFile, cfg.API.TLS.KeyFile, path.Join(cfg.Certs.Dir, cfg.BaseDomain+".pem"))
			if mount, readOnly, secret := mountedAt(p, cfg.DataDir); mount != cfg.DataDir || readOnly || secret != "" {
				t.Errorf("%s: data_dir %s lies on %q", kustomization, cfg.DataDir, mount)
			}
			if claims := m.workload(t).Spec.VolumeClaimTemplates; len(claims) != 1 || claims[0].Metadata.Name != "data" {
				t.Errorf("%s: claims %+v", kustomization, claims)
			}
		}
		for _, file := range files {
			mount, readOnly, secret := mountedAt(p, file)
			if !readOnly || !slices.Contains(secretKeys[secret], path.Base(file)) || path.Dir(file) != mount {
				t.Errorf("%s: %s lies on %q, Secret %q", kustomization, file, mount, secret)
			}
		}
	}
}

// TestReferences: what a pod mounts is rendered, or a Secret that README.md says how to make.
func TestReferences(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(deploy, "README.md"))
	must(t, err)
	for _, kustomization := range all {
		m := load(t, kustomization)
		for _, v := range m.workload(t).Spec.Template.Spec.Volumes {
			switch {
			case v.ConfigMap != nil:
				if _, ok := m["ConfigMap/"+v.ConfigMap.Name]; !ok {
					t.Errorf("%s: no ConfigMap %s", kustomization, v.ConfigMap.Name)
				}
			case v.Secret != nil:
				if secretKeys[v.Secret.SecretName] == nil || !strings.Contains(string(readme), " "+v.Secret.SecretName+" ") {
					t.Errorf("%s: README.md does not say how to make the Secret %s", kustomization, v.Secret.SecretName)
				}
			}
		}
	}
}

// TestSelectors: Services, policies and budgets mean the pods of their kustomization.
func TestSelectors(t *testing.T) {
	for _, kustomization := range all {
		m := load(t, kustomization)
		w := m.workload(t)
		labels := w.Spec.Template.Metadata.Labels
		for _, o := range m {
			var selects map[string]any
			switch o.Kind {
			case "Service":
				selects = o.Spec.Selector
			case "PodDisruptionBudget", "StatefulSet", "Deployment":
				selects, _ = o.Spec.Selector["matchLabels"].(map[string]any)
			case "NetworkPolicy":
				selects = map[string]any{}
				for name, value := range o.Spec.PodSelector.MatchLabels {
					selects[name] = value
				}
			default:
				continue
			}
			if len(selects) == 0 {
				t.Errorf("%s: %s %s selects everything", kustomization, o.Kind, o.Metadata.Name)
			}
			for name, value := range selects {
				if labels[name] != value {
					t.Errorf("%s: %s %s selects %s=%v, the pods have %q", kustomization, o.Kind, o.Metadata.Name, name, value, labels[name])
				}
			}
		}
		if _, ok := m["Service/"+w.Spec.ServiceName]; w.Kind == "StatefulSet" && !ok {
			t.Errorf("%s: no Service %s, which gives the pod its name", kustomization, w.Spec.ServiceName)
		}
	}
}

// TestGracePeriod: a pod has the time that the program takes at most to end by itself, with some to spare.
func TestGracePeriod(t *testing.T) {
	for _, kustomization := range servers {
		m := load(t, kustomization)
		cfg, p := m.settings(t), m.workload(t).Spec.Template.Spec
		grace := time.Duration(p.TerminationGracePeriodSeconds) * time.Second
		sleep := time.Duration(p.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
		if need := sleep + cfg.Drain.Period + cfg.XMPP.ShutdownTimeout + cfg.Drain.ForceAfter + 5*time.Second; grace < need {
			t.Errorf("%s: the pod has %v, its program takes up to %v", kustomization, grace, need)
		}
		if sleep <= 0 {
			t.Errorf("%s: no time to leave the Services before the drain", kustomization)
		}
	}
}

// TestVolumeKeepsModes: the server refuses keys that the group can read, so nothing may open them when the volume is mounted again.
func TestVolumeKeepsModes(t *testing.T) {
	for _, kustomization := range servers {
		if p := load(t, kustomization).workload(t).Spec.Template.Spec.SecurityContext.FSGroupChangePolicy; p != "OnRootMismatch" {
			t.Errorf("%s: fsGroupChangePolicy %q", kustomization, p)
		}
	}
}
