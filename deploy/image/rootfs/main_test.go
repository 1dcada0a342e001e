package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries lists an archive as "MODE UID NAME", in its order, and returns the capabilities of each file that has some.
func entries(t *testing.T, archive []byte) (list []string, capabilities map[string]string) {
	t.Helper()
	capabilities = map[string]string{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return list, capabilities
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%o %d %s", h.Mode, h.Uid, h.Name))
		if c := h.PAXRecords["SCHILY.xattr.security.capability"]; c != "" {
			capabilities[h.Name] = fmt.Sprintf("%x", c)
		}
		if h.Uid != h.Gid || h.ModTime.Unix() > 0 {
			t.Errorf("%s: group %d, time %v", h.Name, h.Gid, h.ModTime)
		}
	}
}

func TestWrite(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	archive := func() []byte {
		out := filepath.Join(t.TempDir(), "out.tar")
		if err := (image{program: program, lowPorts: true, own: []string{"/var/lib/program", "/etc/program"}}).writeFile(out); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := archive()
	list, capabilities := entries(t, first)
	want := []string{
		"755 0 etc/", "644 0 etc/passwd", "644 0 etc/group", "1777 0 tmp/", "755 0 var/", "755 0 var/lib/", "700 65532 var/lib/program/", "700 65532 etc/program/",
		"755 0 usr/", "755 0 usr/bin/", "755 0 usr/bin/program",
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	// As setcap(8) writes cap_net_bind_service=ep.
	if diff := cmp.Diff(map[string]string{"usr/bin/program": "0100000200040000000000000000000000000000"}, capabilities); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(first, archive()) {
		t.Error("the same program gives other bytes the second time")
	}
}

// TestFailuresLeaveNothing: half an archive would become half an image.
func TestFailuresLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	err := image{program: dir}.writeFile(filepath.Join(dir, "out.tar"))
	if err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a folder as program: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}
