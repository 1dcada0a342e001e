package smack

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
	"signalbox/xmpp"
)

// declined are specifications that the server does not offer and says so (docs/INTEROP.md); their tests are left out.
var declined = []string{
	"XEP-0045", "XEP-0048", "XEP-0054", "XEP-0055", "XEP-0347", "XEP-0363", "XEP-0373", "XEP-0374", "XEP-0384", "XEP-0410", "XEP-0421", "XEP-0433", "XEP-0486",
}

// lowLevel are tests that make accounts over XMPP as they need them; this version of the framework stops at the first of them when it cannot.
var lowLevel = []string{
	"LoginIntegrationTest", "LowLevelRosterIntegrationTest", "ModularXmppClientToServerConnectionLowLevelIntegrationTest", "SimpleXmppConnectionIntegrationTest",
	"StreamManagementTest", "WaitForClosingStreamElementTest", "XmppConnectionIntegrationTest",
}

// TestSmack runs the framework when SMACK says so (make interop-smack), and writes what it found to docs/INTEROP.md. It fails when a test of the framework does.
//
// SINT_JAR is another build of the framework, with its dependencies, to run instead of the one of pom.xml; SPECS names the specifications to run, with commas:
// then docs/INTEROP.md is left alone.
func TestSmack(t *testing.T) {
	if os.Getenv("SMACK") != "run" {
		t.Skip("run by make interop-smack alone")
	}
	jar, specs := os.Getenv("SINT_JAR"), os.Getenv("SPECS")
	classpath, target := cmp.Or(jar, filepath.Join(libraries(t), "*")), "interop-smack"
	if jar != "" {
		target += " SINT_JAR"
	}
	s := harness.Start(t, func(cfg *config.Config) {
		cfg.Listen.XMPP = []string{net.JoinHostPort(freeHost(t), "5222")}
		cfg.XMPP.Routing = xmpp.RoutingOpen
	})
	out := logFile(t, strings.ToLower(strings.ReplaceAll(target, " ", "-"))+".xml")
	runFramework(t, classpath, out, properties(t, s, specs))
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	all, err := readVerdicts(text)
	if err != nil {
		t.Fatal(err)
	}
	page := report(all)
	t.Log("\n" + page)
	if specs == "" {
		if err := replaceReport("../../docs/INTEROP.md", target, page); err != nil {
			t.Error(err)
		}
	}
	for _, v := range all {
		if v.found == failed {
			t.Errorf("%s %s: %s", v.spec, v.test, v.why)
		}
	}
}

// libraries has Maven fetch what pom.xml names and returns the folder that has it.
func libraries(t *testing.T) string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "dependency:copy-dependencies").CombinedOutput(); err != nil {
		t.Fatalf("mvn (Debian package maven): %v\n%s", err, out)
	}
	return "../../bin/smack/lib"
}

// freeHost is a loopback address on which 5222 is free: the framework has no way to say another port. Linux has more than one such address.
func freeHost(t *testing.T) string {
	t.Helper()
	var errs []error
	for _, host := range []string{"127.52.22.1", "127.0.0.1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "5222"))
		if err == nil {
			_ = l.Close()
			return host
		}
		errs = append(errs, err)
	}
	t.Fatalf("no loopback address with a free port 5222: %v", errs)
	return ""
}

// properties are the framework's: where the server is, whom it trusts, three accounts that are made for it, and which specifications to run, all if specs is empty.
func properties(t *testing.T, s *harness.Server, specs string) []string {
	t.Helper()
	host, _, err := net.SplitHostPort(s.Addr("xmpp"))
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{
		"service": harness.Domain, "host": host, "securityMode": "required", "dnsResolver": "javax", "enabledConnections": "tcp",
		"replyTimeout": fmt.Sprint((5 * time.Second).Milliseconds()), "disabledSpecifications": strings.Join(declined, ","),
	}
	set["disabledTests"] = strings.Join(lowLevel, ",")
	if specs != "" {
		set["enabledSpecifications"] = specs // an empty list would enable none
	}
	for _, name := range []string{"One", "Two", "Three"} {
		id := "judge-" + strings.ToLower(name)
		s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":"secret-of-%s"}`, id, id), http.StatusCreated)
		set["account"+name+"Username"], set["account"+name+"Password"] = id, "secret-of-"+id
	}
	args := []string{"-Djavax.net.ssl.trustStore=" + trustStore(t, s.CAFile), "-Djavax.net.ssl.trustStorePassword=" + trustPassword}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		args = append(args, "-Dsinttest."+key+"="+set[key])
	}
	return args
}

// trustPassword is what Java wants for a file that holds nothing secret.
const trustPassword = "public"

// trustStore makes a file of Java's own kind with the CA of the server.
func trustStore(t *testing.T, caFile string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trust.p12")
	cmd := exec.CommandContext(t.Context(), "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", caFile, "-keystore", file, "-storetype", "PKCS12", "-storepass", trustPassword)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("keytool (Debian package default-jdk-headless): %v: %s", err, out)
	}
	return file
}

// runFramework runs Verdicts.java from source; what Java prints goes to a log.
func runFramework(t *testing.T, classpath, out string, properties []string) {
	t.Helper()
	log, err := os.Create(logFile(t, "smack-java.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"-Xmx512m", "-cp", classpath}, properties...)
	cmd := exec.CommandContext(t.Context(), "java", append(args, "Verdicts.java", out)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		t.Fatalf("the framework did not end well, see %s: %v", log.Name(), err)
	}
}

// logFile is where a file of this name is kept, beside the logs of the other suites.
func logFile(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin/logs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
