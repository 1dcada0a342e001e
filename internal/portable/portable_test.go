package portable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// read reads a file of testdata, or the main file of fs, and writes accounts as short lines.
func read(t *testing.T, files fs.FS) (lines []string, report Report, err error) {
	t.Helper()
	report, err = Read(files, "server-data.xml", func(a Account) error {
		line := a.Name + "@" + a.Host
		if a.Password != "" {
			line += " password " + a.Password
		}
		for _, v := range a.Verifiers {
			line += fmt.Sprintf(" %s %d", v.Mechanism, v.Iterations)
		}
		if a.Disabled {
			line += " disabled"
		}
		lines = append(lines, line)
		return nil
	})
	return lines, report, err
}

func TestOneFile(t *testing.T) {
	lines, report, err := read(t, os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	const at = "@xmpp.signalbox.test"
	want := []string{
		"clear" + at + " password pass-clear", "SHA1" + at + " SCRAM-SHA-1 4096", "sha256" + at + " SCRAM-SHA-256 10000",
		"both" + at + " SCRAM-SHA-1 4096 SCRAM-SHA-256 4096 SCRAM-SHA-512 4096 disabled", "sha512" + at + " SCRAM-SHA-512 4096", "nothing" + at,
		"d'artagnan" + at + " password pass-odd", "short" + at + " password abc", "coded" + at + " password pass-coded",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantReport := Report{Files: 1, Hosts: map[string]int{at[1:]: 9}, Passed: map[string]int{
		"rosters": 1, "vCards": 1, "offline messages": 1, "<something/> of urn:elsewhere": 1,
	}}
	if diff := cmp.Diff(wantReport, report); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIncludedFiles(t *testing.T) {
	lines, report, err := read(t, os.DirFS("testdata/split"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pc-1@xmpp.signalbox.test SCRAM-SHA-1 4096", "pc-2@xmpp.signalbox.test password pass-pc-2"}, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if report.Files != 5 || report.Passed["archives"] != 1 {
		t.Errorf("%+v", report)
	}
}

func TestBadFiles(t *testing.T) {
	const (
		open    = "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'>"
		user    = open + "<host jid='a.test'><user name='u'>"
		rest    = "</user></host></server-data>"
		scram   = "<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'>"
		include = open + "<xi:include href='%s'/></server-data>"
	)
	for _, tt := range []struct{ name, text, why string }{
		{"nothing", "", "no <server-data/>"},
		{"another root", "<data/>", "the root is not"},
		{"another namespace", "<server-data/>", "the root is not"},
		{"cut", user, "unexpected EOF"},
		{"crossed tags", user + "</host></user></server-data>", "line 1"},
		{"document type", "<!DOCTYPE a [<!ENTITY b 'c'>]>" + user + rest, "document type"},
		{"entity", open + "&e;</server-data>", "entity"},
		{"instruction", user + "<?php?>" + rest, "processing instruction"},
		{"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>" + user + rest, "encoding"},
		{"no UTF-8", open + "\xff</server-data>", "UTF-8"},
		{"text between", open + "text</server-data>", "text where elements stand"},
		{"host without jid", open + "<host/></server-data>", "without its jid"},
		{"user without name", open + "<host jid='a.test'><user/></host></server-data>", "without its name"},
		{"no count", user + scram + "<salt>AA==</salt></scram-credentials>" + rest, "u@a.test for SCRAM have no iter-count"},
		{"salt twice", user + scram + "<salt/><salt/></scram-credentials>" + rest, "<salt/> where it is not expected"},
		{"salt inside", user + scram + "<salt><salt/></salt></scram-credentials>" + rest, "where it is not expected"},
		{"long salt", user + scram + "<salt>" + strings.Repeat("A", 5000) + "</salt></scram-credentials>" + rest, "more than 4096"},
		{"password that is no base64", user + "<plain-credentials xmlns='tigase:xep-0227:sasl:0#plain'><password>%</password></plain-credentials>" + rest, "not base64"},
		{"include of nothing", open + "<xi:include/></server-data>", "without href"},
		{"include of text", open + "<xi:include href='a' parse='text'/></server-data>", "parse"},
		{"include of what is not there", fmt.Sprintf(include, "b.xml"), `"b.xml", which is not there`},
		{"include from above", fmt.Sprintf(include, "../secret.xml"), "not there"},
		{"include by a whole path", fmt.Sprintf(include, "/etc/passwd"), "not there"},
		{"include by escapes from above", fmt.Sprintf(include, "%2e%2e/secret.xml"), "not there"},
		{"include by URL", fmt.Sprintf(include, "http://a.test/b.xml"), "not there"},
		{"include of itself", fmt.Sprintf(include, "server-data.xml"), "includes itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := read(t, fstest.MapFS{"server-data.xml": {Data: []byte(tt.text)}, "secret.xml": {}})
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("got %v, want an error with %q", err, tt.why)
			}
		})
	}
}

func TestDeepIncludes(t *testing.T) {
	files := fstest.MapFS{}
	for i := range 20 {
		files[fmt.Sprintf("%d.xml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "<include xmlns='http://www.w3.org/2001/XInclude' href='%d.xml'/>", i+1)}
	}
	files["server-data.xml"] = &fstest.MapFile{Data: []byte("<server-data xmlns='urn:xmpp:pie:0'><include xmlns='http://www.w3.org/2001/XInclude' href='0.xml'/></server-data>")}
	if _, _, err := read(t, files); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("got %v", err)
	}
}

// TestTakeEnds: an error of the caller is the error, and nothing more is read.
func TestTakeEnds(t *testing.T) {
	enough := errors.New("enough")
	n := 0
	_, err := Read(os.DirFS("testdata"), "server-data.xml", func(Account) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d accounts", err, n)
	}
}

// endless is a file that goes on as long as somebody reads: a text, or accounts.
type endless struct {
	text string
	most int64
	read int64
	pos  int
}

func (e *endless) Open(string) (fs.File, error) { return e, nil }
func (e *endless) Stat() (fs.FileInfo, error)   { return e, nil }
func (e *endless) Close() error                 { return nil }
func (*endless) Name() string                   { return "server-data.xml" }
func (*endless) Size() int64                    { return 0 }
func (*endless) Mode() fs.FileMode              { return 0o600 }
func (*endless) ModTime() time.Time             { return time.Time{} }
func (*endless) IsDir() bool                    { return false }
func (*endless) Sys() any                       { return nil }
func (e *endless) Read(p []byte) (int, error) {
	const head = "<server-data xmlns='urn:xmpp:pie:0'><host jid='a.test'>"
	if e.read >= e.most {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		from := head
		if e.read+int64(n) >= int64(len(head)) {
			from = e.text
		}
		c := copy(p[n:], from[e.pos%len(from):])
		n, e.pos = n+c, e.pos+c
		if from == head && e.pos == len(head) {
			e.pos = 0
		}
	}
	e.read += int64(n)
	return n, nil
}

// TestMemoryIsBounded: neither a text without end nor accounts without end are kept.
func TestMemoryIsBounded(t *testing.T) {
	const most = 64 << 10
	n := 0
	read := func(e *endless) error {
		r := newReader(e, func(Account) error { n++; return nil })
		r.most = most
		_, err := r.read("server-data.xml")
		return err
	}
	if err := read(&endless{text: strings.Repeat(" ", 1<<20), most: 1 << 40}); !errors.Is(err, errToken) {
		t.Errorf("a text without end: %v", err)
	}
	many := &endless{text: "<user name='u' password='p'><vCard xmlns='vcard-temp'><PHOTO>" + strings.Repeat("A", 1000) + "</PHOTO></vCard></user>", most: 20 * most}
	if err := read(many); err == nil || n < 1000 { // cut at the end
		t.Errorf("%d accounts, then %v", n, err)
	}
}

// FuzzRead: whatever a file holds is an account with a host and a name, or an error.
func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("testdata/server-data.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("<server-data xmlns='urn:xmpp:pie:0' xmlns:x='http://www.w3.org/2001/XInclude'><host jid='a'><user name='b'/><x:include href='server-data.xml'/></host></server-data>"))
	f.Add([]byte("<a:server-data xmlns:a='http://www.xmpp.org/extensions/xep-0227.html#ns'><a:host jid='a'/></a:server-data>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		accounts := 0
		report, err := Read(fstest.MapFS{"server-data.xml": {Data: text}}, "server-data.xml", func(a Account) error {
			if accounts++; a.Host == "" || a.Name == "" {
				t.Errorf("account %+v", a)
			}
			return nil
		})
		counted := 0
		for _, n := range report.Hosts {
			counted += n
		}
		if counted != accounts || err == nil && report.Files == 0 {
			t.Errorf("%d accounts, counted %+v, %v", accounts, report, err)
		}
	})
}
