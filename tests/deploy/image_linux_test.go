package deploy

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestImages: an image holds one static program and what belongs to it, runs it as nobody with the one capability that low ports need, and is there for both architectures.
func TestImages(t *testing.T) {
	requireContainers(t)
	l := newLAN(t)
	l.host("builder", serverIP)
	e := newEngine(t, l, "builder")
	e.build("v1", "amd64", "arm64")
	for _, name := range []string{"signalbox", "signalbox-agent"} {
		for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
			got := e.docker("image", "inspect", "--format", `{{.Os}}/{{.Architecture}} {{.Config.User}} {{index .Config.Labels "org.opencontainers.image.version"}} {{json .Config.Entrypoint}}`, name+":v1-"+arch)
			if want := "linux/" + arch + ` 65532:65532 v1 ["/usr/bin/` + name + `"]`; got != want {
				t.Errorf("%s for %s is %s, want %s", name, arch, got, want)
			}
			program, err := elf.NewFile(bytes.NewReader(export(t, e, name+":v1-"+arch)["usr/bin/"+name]))
			must(t, err)
			if program.Machine != machine {
				t.Errorf("the program of %s for %s is one for %v, want %v", name, arch, program.Machine, machine)
			}
		}
	}
	if diff := cmp.Diff([]string{"etc/group", "etc/passwd", "tmp/", "usr/bin/signalbox", "var/lib/signalbox/"}, held(t, e, "signalbox:v1")); diff != "" {
		t.Errorf("the server's image holds something else: %s", diff)
	}
	if diff := cmp.Diff([]string{"etc/group", "etc/passwd", "etc/signalbox-agent/", "run/signalbox-agent/", "tmp/", "usr/bin/signalbox-agent", "var/lib/signalbox-agent/"}, held(t, e, "signalbox-agent:v1")); diff != "" {
		t.Errorf("the agent's image holds something else: %s", diff)
	}
	version := e.docker("run", "--rm", "--network", "host", "--read-only", "--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "signalbox:v1", "version")
	if want := "signalbox v1 linux/" + runtime.GOARCH; !strings.HasPrefix(version, want) {
		t.Errorf("the program says %q, want %q", version, want)
	}
	info, err := buildinfo.ReadFile(program())
	must(t, err)
	const roots = "golang.org/x/crypto/x509roots/fallback" // an image without files has no other certificate authorities
	if !slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == roots }) {
		t.Errorf("the program has no certificate authorities: %s is not in it", roots)
	}
}

// held returns the files and the empty folders of an image, without those that an engine puts into every container.
func held(t *testing.T, e *engine, image string) (names []string) {
	t.Helper()
	all := export(t, e, image)
	for name := range all {
		engines := name == ".dockerenv" || strings.HasPrefix(name, "dev/") || strings.HasPrefix(name, "proc/") || strings.HasPrefix(name, "sys/") ||
			slices.Contains([]string{"etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab"}, name)
		if !engines && !hasBelow(all, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// export returns what is in a container of an image: files with their content, and folders.
func export(t *testing.T, e *engine, image string) map[string][]byte {
	t.Helper()
	id := e.docker("create", image)
	var archive bytes.Buffer
	cmd := e.command("docker", "export", id)
	cmd.Stdout = &archive
	must(t, cmd.Run())
	e.docker("rm", id)
	all := map[string][]byte{}
	for r := tar.NewReader(&archive); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		}
		must(t, err)
		all[h.Name], err = io.ReadAll(r)
		must(t, err)
	}
}

// hasBelow reports whether a folder holds something.
func hasBelow(all map[string][]byte, folder string) bool {
	for name := range all {
		if name != folder && strings.HasPrefix(name, folder) && strings.HasSuffix(folder, "/") {
			return true
		}
	}
	return false
}
