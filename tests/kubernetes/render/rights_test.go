package render

import (
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/yaml"
)

// TestRights: the namespace of each kustomization admits its pods at the level that it enforces, as the admission of a cluster judges them. Pods that need more of the host
// than the level restricted gives are refused for that alone.
func TestRights(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, beyond := range map[string][]string{
		"overlays/load-balancer": nil,
		"overlays/single-node":   {"hostPort"},
		"turn":                   {"host namespaces"},
	} {
		objects := render(t, filepath.Join(deploy, path))
		level, pod := namespace(t, objects), template(t, objects)
		judged := func(level api.Level) policy.AggregateCheckResult {
			return policy.AggregateCheckResults(evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
		}
		if r := judged(level); !r.Allowed {
			t.Errorf("%s: at %s: %s", path, level, r.ForbiddenDetail())
		}
		if r := judged(api.LevelRestricted); len(r.ForbiddenReasons) != len(beyond) {
			t.Errorf("%s: restricted forbids it for %q, want %q", path, r.ForbiddenReasons, beyond)
		} else {
			for i, reason := range r.ForbiddenReasons {
				if reason != beyond[i] {
					t.Errorf("%s: restricted forbids it for %q, want %q", path, r.ForbiddenReasons, beyond)
				}
			}
		}
	}
}

// namespace returns the level that the namespace of a kustomization enforces.
func namespace(t *testing.T, objects resmap.ResMap) api.Level {
	t.Helper()
	var n corev1.Namespace
	read(t, objects, "Namespace", &n)
	level, err := api.ParseLevel(n.Labels[api.EnforceLevelLabel])
	if err != nil {
		t.Fatal(err)
	}
	return level
}

// template returns the pod that a kustomization runs.
func template(t *testing.T, objects resmap.ResMap) corev1.PodTemplateSpec {
	t.Helper()
	var set appsv1.StatefulSet
	if read(t, objects, "StatefulSet", &set) {
		return set.Spec.Template
	}
	var deployment appsv1.Deployment
	if !read(t, objects, "Deployment", &deployment) {
		t.Fatal("it runs no pod")
	}
	return deployment.Spec.Template
}

// read reads the first object of a kind.
func read(t *testing.T, objects resmap.ResMap, kind string, into any) bool {
	t.Helper()
	for _, o := range objects.Resources() {
		if o.GetKind() == kind {
			text, err := o.AsYAML()
			if err == nil {
				err = yaml.Unmarshal(text, into)
			}
			if err != nil {
				t.Fatal(err)
			}
			return true
		}
	}
	return false
}
