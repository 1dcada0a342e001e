// Package rootfs writes the file system of a container image as a tar archive, for a Dockerfile that only adds it: a static program, what it needs beside itself, and nothing else.
//
// It needs neither root nor a container engine, and the same program gives the same bytes.
package main

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	var i image
	var out string
	flag.StringVar(&out, "o", "", "archive to write")
	flag.StringVar(&i.program, "program", "", "static program; it becomes /usr/bin/NAME")
	flag.BoolVar(&i.lowPorts, "low-ports", false, "let the program open ports below 1024 as any user")
	flag.Parse()
	i.own = flag.Args()
	if out == "" || i.program == "" {
		fmt.Fprintln(os.Stderr, "usage: rootfs -o ARCHIVE -program FILE [-low-ports] [DIRECTORY OF THE PROGRAM'S OWN...]")
		os.Exit(2)
	}
	if err := i.writeFile(out); err != nil {
		fmt.Fprintln(os.Stderr, "rootfs:", err)
		os.Exit(1)
	}
}

// user is the user and the group that the program runs as: one that is nobody on common systems.
const (
	user   = 65532
	passwd = "root:x:0:0:root:/:/nonexistent\nsignalbox:x:65532:65532:signalbox:/:/nonexistent\n"
	group  = "root:x:0:\nsignalbox:x:65532:\n"
)

// image is what goes into one.
type image struct {
	program  string
	lowPorts bool
	own      []string // directories that belong to user, absolute
}

// writeFile writes the archive, whole or not at all.
func (i image) writeFile(name string) error {
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	if err := errors.Join(i.write(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), name)
}

func (i image) write(to io.Writer) error {
	w := writer{tar: tar.NewWriter(to), made: map[string]bool{"/": true}}
	w.file("/etc/passwd", []byte(passwd))
	w.file("/etc/group", []byte(group))
	w.directory(tar.Header{Name: "/tmp", Mode: 0o1777})
	for _, dir := range i.own {
		w.directory(tar.Header{Name: dir, Mode: 0o700, Uid: user, Gid: user})
	}
	w.program(i.program, i.lowPorts)
	return errors.Join(w.err, w.tar.Close())
}

// writer writes entries; after an error it does nothing.
type writer struct {
	tar  *tar.Writer
	made map[string]bool // directories
	err  error
}

// entry writes one entry with its directories. All times are the same.
func (w *writer) entry(h tar.Header, content io.Reader) {
	if w.err != nil {
		return
	}
	if parent := path.Dir(path.Clean(h.Name)); !w.made[parent] {
		w.directory(tar.Header{Name: parent, Mode: 0o755})
	}
	h.Name = strings.TrimPrefix(h.Name, "/")
	if w.err == nil {
		w.err = w.tar.WriteHeader(&h)
	}
	if w.err == nil && content != nil {
		_, w.err = io.Copy(w.tar, content)
	}
}

func (w *writer) directory(h tar.Header) {
	h.Name = path.Clean(h.Name)
	if w.made[h.Name] {
		return
	}
	w.made[h.Name] = true
	name := h.Name
	h.Typeflag, h.Name = tar.TypeDir, name+"/"
	w.entry(h, nil)
}

func (w *writer) file(name string, content []byte) {
	w.entry(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}, strings.NewReader(string(content)))
}

// program writes the program, with the capability to open low ports if it shall have it.
func (w *writer) program(name string, lowPorts bool) {
	f, info, err := open(name)
	if err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	defer f.Close()
	h := tar.Header{Typeflag: tar.TypeReg, Name: "/usr/bin/" + filepath.Base(name), Mode: 0o755, Size: info.Size()}
	if lowPorts {
		h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(bindService())}
	}
	w.entry(h, f)
}

func open(name string) (*os.File, fs.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// bindService is the extended attribute of a program that gets the one capability to open ports below 1024, cap_net_bind_service=ep: struct vfs_cap_data of linux/capability.h,
// version 2, five little-endian words: version and the flag "effective", permitted and inheritable of capabilities 0 to 31, the same of the others.
func bindService() []byte {
	const (
		version2  = 0x02000000
		effective = 1
		bind      = 1 << 10 // CAP_NET_BIND_SERVICE
	)
	var words []byte
	for _, word := range []uint32{version2 | effective, bind, 0, 0, 0} {
		words = binary.LittleEndian.AppendUint32(words, word)
	}
	return words
}
