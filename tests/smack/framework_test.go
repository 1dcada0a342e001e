package smack

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// libraries has Maven fetch what pom.xml names and returns the folder that has it.
func libraries(t *testing.T) string {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "dependency:copy-dependencies").CombinedOutput(); err != nil {
		t.Fatalf("mvn (Debian package maven): %v\n%s", err, out)
	}
	return "../../bin/smack/lib"
}

// runFramework runs Verdicts.java from source with these properties of the framework, and further arguments of Java. What Java prints goes to a log, the
// verdicts to a file beside it.
func runFramework(t *testing.T, classpath, name string, properties map[string]string, further ...string) outcome {
	t.Helper()
	file := logFile(t, strings.ToLower(strings.ReplaceAll(name, " ", "-")))
	log, err := os.Create(file + ".log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"-Xmx512m", "-cp", classpath}, further...)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		args = append(args, "-Dsinttest."+key+"="+properties[key])
	}
	cmd := exec.CommandContext(t.Context(), "java", append(args, "Verdicts.java", file+".xml")...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		t.Fatalf("the framework did not end well, see %s: %v", log.Name(), err)
	}
	text, err := os.ReadFile(file + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	ran, err := readVerdicts(text)
	if err != nil {
		t.Fatal(err)
	}
	return ran
}

// trust makes a file of Java's own kind with the CA of the server, and returns the arguments that name it.
func trust(t *testing.T, caFile string) []string {
	t.Helper()
	const password = "public" // Java wants one for a file that holds nothing secret
	file := filepath.Join(t.TempDir(), "trust.p12")
	cmd := exec.CommandContext(t.Context(), "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", caFile, "-keystore", file, "-storetype", "PKCS12", "-storepass", password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("keytool (Debian package default-jdk-headless): %v: %s", err, out)
	}
	return []string{"-Djavax.net.ssl.trustStore=" + file, "-Djavax.net.ssl.trustStorePassword=" + password}
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
