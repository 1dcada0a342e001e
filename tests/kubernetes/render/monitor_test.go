package render

import (
	"os"
	"path/filepath"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// TestServiceMonitor: the component is a ServiceMonitor as the operator defines it, and finds the Service of the API by its labels and its port.
func TestServiceMonitor(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "components", "servicemonitor", "servicemonitor.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var monitor monitoring.ServiceMonitor
	if err := yaml.UnmarshalStrict(text, &monitor); err != nil {
		t.Fatal(err)
	}
	selects, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil || selects.Empty() {
		t.Fatalf("selects %v, %v", selects, err)
	}
	var found []string
	for _, o := range render(t, filepath.Join(deploy, "overlays", "load-balancer")).Resources() {
		if o.GetKind() != "Service" || !selects.Matches(labels.Set(o.GetLabels())) {
			continue
		}
		var service corev1.Service
		raw, err := o.AsYAML()
		if err == nil {
			err = yaml.Unmarshal(raw, &service)
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, service.Name+":"+service.Spec.Ports[0].Name)
		if job := o.GetLabels()[monitor.Spec.JobLabel]; job != "signalbox" {
			t.Errorf("the job is %q, alerts and dashboards say signalbox", job)
		}
	}
	if len(found) != 1 || found[0] != "signalbox-api:"+monitor.Spec.Endpoints[0].Port {
		t.Errorf("it finds %q", found)
	}
}
