package observe

import (
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"signalbox/tests/harness"
	"signalbox/tests/harness/turnchild"
)

const root = "../.."

func TestMain(m *testing.M) {
	if ran, status := turnchild.Run(); ran {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	must(t, err)
	return string(text)
}

// tool returns where a program of Debian's package prometheus is.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("LEFT OUT: alerts and dashboards by Prometheus itself: %s is not installed (Debian package prometheus)", name)
	}
	return path
}

// lively runs a server with a TURN process, on which something happened of all that shows a metric only then: a request, a login, a request to the console.
func lively(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.StartTURN(t)
	s.Call(t, "POST", "/v1/endpoints", `{"id":"pc-1","secret":"s3cret-1"}`, http.StatusCreated)
	pc := s.Connect(t, "pc-1")
	pc.Login("pc-1", "s3cret-1", "agent")
	pc.Send("<presence/>")
	s.AwaitPresence(t, "pc-1", "online")
	askConsole(t, s)
	harness.Await(t, func() bool { return strings.Contains(scrape(t, s), "\nsignalbox_turn_sessions ") },
		func() string { return "the metrics of the TURN process do not appear" })
	return s
}

// askConsole asks who is signed in; nobody is.
func askConsole(t *testing.T, s *harness.Server) {
	t.Helper()
	tls := s.TLS()
	tls.NextProtos = []string{"http/1.1"}
	transport := &http.Transport{TLSClientConfig: tls}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + s.Addr("tls") + "/console/api/me")
	must(t, err)
	must(t, resp.Body.Close())
}

// scrape reads /metrics as Prometheus does.
func scrape(t *testing.T, s *harness.Server) string {
	t.Helper()
	resp, err := http.Get("http://" + s.Addr("api") + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s: %s", resp.Status, text)
	}
	return string(text)
}

// families parses a page of metrics.
func families(t *testing.T, page string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(page))
	must(t, err)
	return all
}

// labels returns the names of a family's labels, but those that histograms and summaries add.
func labels(f *dto.MetricFamily) []string {
	names := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			names[l.GetName()] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
