package observe

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"signalbox/tests/harness"
)

// prometheus is one that runs with deploy/prometheus and scrapes a server once a second.
type prometheus struct {
	url string
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// startPrometheus runs Prometheus on a free port until the test ends.
func startPrometheus(t *testing.T, s *harness.Server) prometheus {
	t.Helper()
	dir := t.TempDir()
	config := read(t, "deploy", "prometheus", "prometheus.yml")
	for _, change := range [][2]string{{"127.0.0.1:8080", s.Addr("api")}, {"scrape_interval: 15s", "scrape_interval: 1s"}} {
		if !strings.Contains(config, change[0]) {
			t.Fatalf("prometheus.yml does not have %s", change[0])
		}
		config = strings.ReplaceAll(config, change[0], change[1])
	}
	must(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte("global:\n  evaluation_interval: 1s\n"+config), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "signalbox.rules.yml"), []byte(read(t, "deploy", "prometheus", "signalbox.rules.yml")), 0o600))
	cmd := exec.Command(tool(t, "prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0")
	cmd.Dir = dir
	log, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	address, ended := make(chan string, 1), make(chan struct{})
	go func() { // ends with the process
		defer close(ended)
		tell(log, address)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait()
	})
	select {
	case a := <-address:
		p := prometheus{"http://" + a}
		harness.Await(t, p.ready, func() string { return "Prometheus does not become ready" })
		return p
	case <-ended:
		t.Fatal("Prometheus ended before it listened")
	}
	return prometheus{}
}

// ready reports whether it has read what it stored.
func (p prometheus) ready() bool {
	resp, err := http.Get(p.url + "/-/ready")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// tell reads a log to its end and tells the address in it.
func tell(log io.Reader, address chan<- string) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			select {
			case address <- m[1]:
			default: // it was told already
			}
		}
	}
}

// ask asks the API of Prometheus.
func (p prometheus) ask(t *testing.T, path string, data any) {
	t.Helper()
	resp, err := http.Get(p.url + path)
	must(t, err)
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	must(t, json.NewDecoder(resp.Body).Decode(&answer))
	if answer.Status != "success" {
		t.Fatalf("%s: %s", path, answer.Error)
	}
	must(t, json.Unmarshal(answer.Data, data))
}

// series returns how many series an expression has now.
func (p prometheus) series(t *testing.T, expr string) int {
	t.Helper()
	var data struct{ Result []json.RawMessage }
	p.ask(t, "/api/v1/query?query="+url.QueryEscape(expr), &data)
	return len(data.Result)
}

// rules returns the state of each alert.
func (p prometheus) rules(t *testing.T) map[string]string {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, State, Health, LastError string }
		}
	}
	p.ask(t, "/api/v1/rules", &data)
	states := map[string]string{}
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" && r.Health != "unknown" {
				t.Errorf("%s: %s: %s", r.Name, r.Health, r.LastError)
			}
			states[r.Name] = r.Health + ", " + r.State
		}
	}
	return states
}

// raised returns the alerts that are not evaluated without a fault and without a result.
func (p prometheus) raised(t *testing.T) map[string]string {
	t.Helper()
	states, odd := p.rules(t), map[string]string{}
	for _, a := range alerts(t) {
		if states[a.Alert] != "ok, inactive" {
			odd[a.Alert] = states[a.Alert]
		}
	}
	return odd
}

// mayBeEmpty are the queries that show nothing while all is well, and why.
var mayBeEmpty = map[string]string{
	"Signalbox / Store, Full in, query 1": "the disk does not fill up",
}

// TestPrometheus: a Prometheus with the files of deploy/ scrapes a running server. Every query of the dashboards has something to show, no alert is raised while all is well, and
// one is once the server is gone.
func TestPrometheus(t *testing.T) {
	tool(t, "prometheus")
	s := lively(t)
	p := startPrometheus(t, s)
	harness.Await(t, func() bool { return p.series(t, `count_over_time(up{job="signalbox"}[1m]) > 4`) == 1 }, func() string { return "the server is not scraped" })
	for where, expr := range expressions(t) {
		if n := p.series(t, expr); n == 0 && mayBeEmpty[where] == "" {
			t.Errorf("%s shows nothing: %s", where, expr)
		}
	}
	harness.Await(t, func() bool { return len(p.raised(t)) == 0 }, func() string { return fmt.Sprintf("alerts while all is well: %v", p.raised(t)) })
	s.Stop()
	harness.Await(t, func() bool { return p.rules(t)["SignalboxDown"] == "ok, pending" }, func() string { return fmt.Sprintf("alerts once the server is gone: %v", p.rules(t)) })
}
