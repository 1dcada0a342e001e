package kubernetes

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"signalbox/internal/app"
	"signalbox/tests/harness"
)

// needRights skips what needs root, and commands that start a program with few rights.
func needRights(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: low ports with the rights of a pod: they need root")
	}
	for _, command := range []string{"unshare", "setpriv"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("LEFT OUT: low ports with the rights of a pod: they need the command %s", command)
		}
	}
}

// image copies the program to where every user finds it; on request with the capability that the image's has on its file (capabilities(7), version 2 of the attribute).
func image(t *testing.T, dir string, capable bool) string {
	t.Helper()
	path := filepath.Join(dir, "signalbox")
	text, err := os.ReadFile(program)
	must(t, err)
	must(t, os.WriteFile(path, text, 0o755))
	if !capable {
		return path
	}
	attribute := make([]byte, 20)
	binary.LittleEndian.PutUint32(attribute, 0x02000001) // version 2, effective
	binary.LittleEndian.PutUint32(attribute[4:], 1<<unix.CAP_NET_BIND_SERVICE)
	if err := unix.Setxattr(path, "security.capability", attribute, 0); err != nil {
		t.Skipf("LEFT OUT: low ports with the rights of a pod: a file cannot carry a capability here: %v", err)
	}
	return path
}

// rights returns the command that gives a program what a pod has: its user, its capabilities, no way to more, and a network of its own with the pod's sysctls.
func rights(t *testing.T, p pod) []string {
	t.Helper()
	set := "exec"
	for _, s := range p.SecurityContext.Sysctls {
		set = fmt.Sprintf("echo %s >/proc/sys/%s; ", s.Value, strings.ReplaceAll(s.Name, ".", "/")) + set
	}
	own := p.Containers[0].SecurityContext
	if own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation || len(own.Capabilities.Drop) != 1 || own.Capabilities.Drop[0] != "ALL" {
		t.Fatalf("rights: %+v", own)
	}
	capabilities := "-all"
	for _, c := range own.Capabilities.Add {
		capabilities += ",+" + strings.ToLower(c)
	}
	return []string{"unshare", "--net", "--", "sh", "-ec", set + ` "$@"`, "sh", "setpriv", fmt.Sprintf("--reuid=%d", p.SecurityContext.RunAsUser),
		fmt.Sprintf("--regid=%d", p.SecurityContext.RunAsGroup), "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=" + capabilities}
}

// TestLowPorts: with the user and the rights of its pod the program starts and opens 443, reads its Secrets and writes its volume, whether its file carries a capability, as that
// of the image does, or not.
func TestLowPorts(t *testing.T) {
	needRights(t)
	t.Run("capable file", func(t *testing.T) { testLowPorts(t, true) })
	t.Run("plain file", func(t *testing.T) { testLowPorts(t, false) })
}

func testLowPorts(t *testing.T, capable bool) {
	dir, err := os.MkdirTemp("", "signalbox-rights-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755)) // t.TempDir is closed to other users
	m := load(t, "overlays/load-balancer")
	p := m.workload(t).Spec.Template.Spec
	user, group := p.SecurityContext.RunAsUser, p.SecurityContext.RunAsGroup
	data := filepath.Join(dir, "data")
	must(t, os.Mkdir(data, 0o700))
	must(t, os.Chown(data, user, group))
	s := makeSecrets(t, filepath.Join(dir, "secrets"))
	giveGroup(t, filepath.Join(dir, "secrets"), group)
	file, env := m.configured(t)
	text, err := os.ReadFile(file)
	must(t, err)
	file = filepath.Join(dir, "signalbox.yaml")
	must(t, os.WriteFile(file, text, 0o644))

	line := append(rights(t, p), image(t, dir, capable), "serve", "--config", file, "--set", "domain="+harness.Domain, "--set", "data_dir="+data, "--set", "certs.dir="+s.certificates,
		"--set", "api.tls.cert_file="+filepath.Join(s.api, "tls.crt"), "--set", "api.tls.key_file="+filepath.Join(s.api, "tls.key"))
	for _, setting := range s.control() {
		line = append(line, "--set", setting)
	}
	server := launch(t, append(env, "PATH="+os.Getenv("PATH")), line)
	var addrs map[string][]string
	harness.Await(t, func() bool {
		text, err := os.ReadFile(filepath.Join(data, app.ReadyFile))
		return err == nil && json.Unmarshal(text, &addrs) == nil
	}, func() string { return "the server is not up: " + server.said() })
	for listener, want := range map[string]string{"tls": ":443", "xmpp": ":5222", "api": ":8080"} {
		if got := addrs[listener]; len(got) != 1 || !strings.HasSuffix(got[0], want) {
			t.Errorf("%s listens on %v, want %s", listener, got, want)
		}
	}
	must(t, server.cmd.Process.Signal(syscall.SIGTERM))
	<-server.ended
	if server.err != nil {
		t.Errorf("the server ended with %v", server.err)
	}
}

// giveGroup does to a Secret what fsGroup does.
func giveGroup(t *testing.T, dir string, group int) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, -1, group)
	}))
}
