package smack

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/internal/config"
	"signalbox/tests/harness"
	"signalbox/xmpp"
)

// declined are specifications that the server does not offer and says so (docs/INTEROP.md); their tests are left out.
const declined = "XEP-0045,XEP-0048,XEP-0054,XEP-0055,XEP-0347,XEP-0373,XEP-0374,XEP-0384,XEP-0410,XEP-0421,XEP-0433,XEP-0486"

// fileTransfer is a class that is left out of the run over plain text: one of its tests offers streams over SOCKS5, for which Smack takes no address of loopback,
// and leaves behind a listener that makes the other one fail if that comes second. The framework cannot leave out a single test of a class; it can run one alone.
const fileTransfer = "FileTransferIntegrationTest"

// overTLS are the tests that are run over STARTTLS.
const overTLS = "LoginIntegrationTest,LowLevelRosterIntegrationTest,RosterIntegrationTest," + fileTransfer + ".ibbFileTransferTest"

// The endpoint that makes the accounts of the framework (XEP-0133).
const (
	adminID     = "judge"
	adminSecret = "secret-of-the-judge"
)

// TestSmack runs the framework when SMACK says so (make interop-smack), and writes what it found to docs/INTEROP.md. It fails when a test does whose failure is
// not accepted, and when one does not whose failure is.
//
// SINT_JAR is another build of the framework, with its dependencies, to run instead of the one of pom.xml; SPECS names the specifications to run, with commas:
// then nothing is run over TLS and docs/INTEROP.md is left alone.
func TestSmack(t *testing.T) {
	if os.Getenv("SMACK") != "run" {
		t.Skip("run by make interop-smack alone")
	}
	jar, specs := os.Getenv("SINT_JAR"), os.Getenv("SPECS")
	classpath, target := cmp.Or(jar, filepath.Join(libraries(t), "*")), targetOwn
	if jar != "" {
		target = targetMore
	}
	hosts := freeHosts(t)
	s := laboratory(t, hosts)
	plain := properties(hosts.plain, "disabled")
	plain["disabledSpecifications"], plain["disabledTests"] = declined, fileTransfer
	if specs != "" {
		plain["enabledSpecifications"] = specs // an empty list would enable none
	}
	ran := runFramework(t, classpath, target, plain)
	p := page{outcome: ran, accepted: accepted[target], date: time.Now(), server: serverVersion(t), jar: jar}
	if specs != "" {
		t.Log("\n" + p.String())
		complain(t, judge(ran.verdicts, p.accepted, false))
		return
	}
	secure := properties(hosts.starttls, "required")
	secure["enabledTests"] = overTLS
	p.tls = runFramework(t, classpath, target+" TLS", secure, trust(t, s.CAFile)...)
	t.Log("\n" + p.String())
	complain(t, judge(ran.verdicts, p.accepted, true))
	complain(t, judge(p.tls.verdicts, nil, false))
	if err := replaceReport("../../docs/INTEROP.md", target, p.String()); err != nil {
		t.Error(err)
	}
}

func complain(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

// hosts are the addresses of the two listeners. Both have port 5222: the framework has no way to say another.
type hosts struct{ plain, starttls string }

// freeHosts finds loopback addresses on which 5222 is free. Linux has more than one.
func freeHosts(t *testing.T) hosts {
	t.Helper()
	var free []string
	var errs []error
	for i := 1; i < 10 && len(free) < 2; i++ {
		host := fmt.Sprintf("127.52.22.%d", i)
		l, err := net.Listen("tcp", net.JoinHostPort(host, "5222"))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_ = l.Close()
		free = append(free, host)
	}
	if len(free) < 2 {
		t.Fatalf("two loopback addresses with a free port 5222 are needed: %v", errs)
	}
	return hosts{plain: free[0], starttls: free[1]}
}

// laboratory starts the server as docs/INTEROP.md describes it, with the account of the administrator.
func laboratory(t *testing.T, on hosts) *harness.Server {
	t.Helper()
	turn := filepath.Join(t.TempDir(), "turn.secret")
	if err := os.WriteFile(turn, []byte("shared-with-turn-1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, func(cfg *config.Config) {
		cfg.Listen.XMPP = []string{net.JoinHostPort(on.starttls, "5222")}
		cfg.XMPP.InsecurePlaintext = net.JoinHostPort(on.plain, "5222")
		cfg.XMPP.Routing = xmpp.RoutingOpen
		cfg.XMPP.Admins = []string{adminID}
		cfg.XMPP.MaxResources = 20
		cfg.XMPP.FailureDelay = 100 * time.Millisecond
		cfg.Account.Archive = true
		cfg.Upload.Enabled, cfg.Upload.QuotaBytes = true, 10<<30
		cfg.TURN.Servers, cfg.TURN.ExternalSecretFile = []string{"turn.signalbox.test"}, turn
	})
	s.Call(t, "POST", "/v1/endpoints", fmt.Sprintf(`{"id":%q,"secret":%q}`, adminID, adminSecret), http.StatusCreated)
	return s
}

// properties are the framework's: where the server is, whether TLS is used, and who makes accounts.
func properties(host, security string) map[string]string {
	return map[string]string{
		"service": harness.Domain, "host": host, "securityMode": security, "dnsResolver": "javax", "enabledConnections": "tcp",
		"replyTimeout": fmt.Sprint((3 * time.Second).Milliseconds()), "adminAccountUsername": adminID, "adminAccountPassword": adminSecret,
	}
}

// serverVersion is the last commit that changed the server. Those of the suites and of the documents come after it.
func serverVersion(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "log", "-1", "--first-parent", "--format=%h", "--", "*.go", ":!*_test.go", ":!tests")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git: %v", err)
	}
	return strings.TrimSpace(string(out))
}
