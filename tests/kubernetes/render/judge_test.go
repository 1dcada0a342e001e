package render

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"

	"sigs.k8s.io/kustomize/api/resmap"
)

// strict decodes as an API server does that is told to refuse unknown and double fields, and fills in defaults.
var strict = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDecoder()

// judgeAll decodes and validates every object.
func judgeAll(t *testing.T, objects resmap.ResMap) {
	t.Helper()
	for _, o := range objects.Resources() {
		text, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := strict.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", o.CurId(), err)
			continue
		}
		for _, mistake := range judge(t, object) {
			t.Errorf("%s: %v", o.CurId(), mistake)
		}
	}
}

// TestJudgeBites: what no API server takes is refused, whether it is the form or the sense.
func TestJudgeBites(t *testing.T) {
	for text, want := range map[string]string{
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dat":{}}`:                                       "unknown field",
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"A"}}`:                                                "metadata.name",
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":70000,"name":"tls"}]}}`:   "spec.ports[0].port",
		`{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"a"},"spec":{"maxUnavailable":"x"}}`: "spec.maxUnavailable",
	} {
		object, _, err := strict.Decode([]byte(text), nil, nil)
		var said []string
		if err != nil {
			said = append(said, err.Error())
		} else {
			object.(metav1.Object).SetNamespace("a")
			for _, mistake := range judge(t, object) {
				said = append(said, mistake.Error())
			}
		}
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("%s: %q, want something about %s", text, said, want)
		}
	}
}

// judge validates an object as its creation does.
func judge(t *testing.T, object runtime.Object) field.ErrorList {
	t.Helper()
	switch o := object.(type) {
	case *core.Namespace:
		return corevalidation.ValidateNamespace(o)
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o)
	case *core.Service:
		if o.Spec.ClusterIP != "" { // as the server does first
			o.Spec.ClusterIPs = []string{o.Spec.ClusterIP}
		}
		return corevalidation.ValidateServiceCreate(o)
	case *apps.StatefulSet:
		return appsvalidation.ValidateStatefulSet(o, podutil.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(o, podutil.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	case *policy.PodDisruptionBudget:
		return policyvalidation.ValidatePodDisruptionBudget(o, policyvalidation.PodDisruptionBudgetValidationOptions{})
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.NetworkPolicyValidationOptions{})
	}
	t.Errorf("nobody judges a %T", object)
	return nil
}
