package mistakes

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a server that runs in a site.
type server struct {
	cmd   *exec.Cmd
	lines chan string // what it logs, until it has ended
	once  sync.Once
}

// serve starts a server in the site.
func (s *site) serve(t *testing.T) *server {
	t.Helper()
	run := &server{cmd: s.command(t.Context(), "signalbox", "serve", "--config", "signalbox.yaml"), lines: make(chan string, 1000)}
	stderr, err := run.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the server, which end waits for
		defer close(run.lines)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			run.lines <- in.Text()
		}
	}()
	t.Cleanup(run.end)
	return run
}

// end ends the server in order. How it ends is not the question here.
func (r *server) end() {
	r.once.Do(func() {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		for range r.lines {
		}
		_ = r.cmd.Wait()
	})
}

// wait returns the next line of the log in which all words stand.
func (r *server) wait(t *testing.T, words ...string) string {
	t.Helper()
	var log strings.Builder
	over := time.After(time.Minute)
	for {
		select {
		case line, ok := <-r.lines:
			log.WriteString(line + "\n")
			switch {
			case !ok:
				t.Fatalf("the server ended, and no line had all of %q:\n%s", words, log.String())
			case hasAll(line, words):
				return line
			}
		case <-over:
			t.Fatalf("no line has all of %q:\n%s", words, log.String())
		}
	}
}

// address is where a listener is, once the server says so.
func (r *server) address(t *testing.T, listener string) string {
	t.Helper()
	line := r.wait(t, `"listening"`, `"`+listener+`=`)
	var said struct{ Listener string }
	if err := json.Unmarshal([]byte(line), &said); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimPrefix(said.Listener, listener+"=")
}

// TestMistakesOfTime: a bundle whose time has not come, or is over, stops no start, since a renewed one is taken without another; it is named all the same.
func TestMistakesOfTime(t *testing.T) {
	p, seen := newPKI(t), sentences{}
	for _, row := range []struct {
		name, says, todo, code string
		leaf                   *identity
	}{
		{"expired", "expired on", "install the renewed certificate", "expired", newLeaf(t, p.inter, valid(-90, -1))},
		{"not yet valid", "is not valid before", "check this machine's clock", "not_yet_valid", newLeaf(t, p.inter, valid(2, 90))},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t)
			s.write(t, bundle, file(t, row.leaf, p.inter, p.root), 0o600)
			s.write(t, "signalbox.yaml", []byte(plainConfig), 0o600)
			said, status := s.run(t, "signalbox", "certs", "inspect", bundle, "--domain", domain)
			if status != statusFailed {
				t.Errorf("certs inspect: status %d, want 1:\n%s", status, said)
			}
			seen.add(t, row.name, lineWith(t, said, "wrong: ", row.says, "("+row.code+")"))
			lineWith(t, said, "to do: ", row.todo)
			s.serve(t).wait(t, "certificate bundle cannot serve now", row.says, row.todo, row.code)
		})
	}
	t.Run("soon over", func(t *testing.T) {
		s := newSite(t)
		s.write(t, bundle, file(t, newLeaf(t, p.inter, valid(-80, 6)), p.inter, p.root), 0o600)
		s.write(t, "signalbox.yaml", []byte(plainConfig), 0o600)
		said, status := s.run(t, "signalbox", "doctor", "tls", "--config", "signalbox.yaml")
		if status != 0 {
			t.Errorf("doctor tls: status %d, want 0, since nothing is wrong yet:\n%s", status, said)
		}
		seen.add(t, "soon over", lineWith(t, said, "warning", "expires on", "in 5 days"))
		lineWith(t, said, "have it renewed and installed in time")
	})
}

// TestMistakesSeenByEndpoints: what is wrong with a good bundle shows at the endpoint alone, and the agent's doctor there says it.
func TestMistakesSeenByEndpoints(t *testing.T) {
	p, seen := newPKI(t), sentences{}
	s := newSite(t)
	s.write(t, bundle, p.file(t), 0o600)
	s.write(t, "root.crt", p.root.certPEM(), 0o644)
	s.write(t, "old.crt", newCA(t, "Old Root", nil).certPEM(), 0o644)
	s.write(t, "secret", []byte("s3cret-1"), 0o600)
	s.write(t, "signalbox.yaml", []byte(plainConfig), 0o600)
	direct := s.serve(t).address(t, "tls")
	for _, row := range []struct {
		name, address, domain string
		flags                 []string
		code, todo            string
	}{
		{"the authority is not on the endpoint", direct, domain, nil, "unknown_ca", "Put the authority into ca_file or into the system's store"},
		{"the authority was changed", direct, domain, []string{"--ca-file", s.path("old.crt")}, "tls_intercepted", "if the server changed its authority, put the new one into ca_file"},
		{"something opens TLS", inspected(t, direct), domain, []string{"--ca-file", s.path("root.crt")}, "tls_intercepted", "Exempt the server's name from TLS inspection"},
		{"another name", direct, "xmpp.example.org", []string{"--ca-file", s.path("root.crt")}, "no_certificate", "install a certificate for the domain on the server"},
	} {
		t.Run(row.name, func(t *testing.T) {
			args := append([]string{"doctor", "--id", "pc-1", "--domain", row.domain, "--secret-file", "secret", "--address", row.address, "--proxy", "direct", "--state-dir", "agent"}, row.flags...)
			said, status := s.run(t, "signalbox-agent", args...)
			if status != statusFailed {
				t.Errorf("status %d, want 1:\n%s", status, said)
			}
			seen.add(t, row.name, strings.ReplaceAll(lineWith(t, said, "wrong", "["+row.code+"]"), row.address, "ADDRESS"))
			lineWith(t, said, "to do: ", row.todo)
		})
	}
}

// TestMistakesOfWebhooks: the running server refuses a receiver to which it would never get an event, or should not, and says why.
func TestMistakesOfWebhooks(t *testing.T) {
	s, seen := newSite(t), sentences{}
	s.write(t, bundle, newPKI(t).file(t), 0o600)
	s.write(t, "signalbox.yaml", []byte(plainConfig), 0o600)
	token, status := s.run(t, "signalbox", "token", "create", "--name", "x", "--scope", "admin", "--config", "signalbox.yaml")
	if status != 0 {
		t.Fatalf("token create: status %d:\n%s", status, token)
	}
	url := "http://" + s.serve(t).address(t, "api")
	for _, row := range []struct{ name, url, says string }{
		{"another scheme", "ftp://itsm.example.org/events", "it must begin with https://"},
		{"no scheme", "itsm.example.org/events", "it must be https://HOST/PATH"},
		{"in clear", "http://itsm.example.org/events", "use https, or set insecure_http to true"},
		{"with a password", "https://u:s3cret@itsm.example.org/events", "it must have no user and no fragment"},
		{"metadata of a cloud", "https://169.254.169.254/events", "webhooks must not reach its address: it is an address of the link, of metadata"},
		{"this machine", "https://127.0.0.1/events", "an internal address that events.webhook_allow does not open"},
		{"no port", "https://itsm.example.org:99999/events", "its host or port is not one"},
	} {
		t.Run(row.name, func(t *testing.T) {
			said, status := s.run(t, "signalbox", "webhook", "create", row.url, "--url", url, "--token", strings.TrimSpace(token))
			if status != statusFailed {
				t.Errorf("status %d, want 1:\n%s", status, said)
			}
			seen.add(t, row.name, lineWith(t, said, "/url: ", row.says))
		})
	}
}

// inspected is an address behind which somebody ends TLS with an authority of his own, and goes on to the server.
func inspected(t *testing.T, address string) string {
	t.Helper()
	ca := newCA(t, "Inspection CA", nil)
	leaf := newLeaf(t, ca)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}}, NextProtos: []string{"xmpp-client", "http/1.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { goOn(conn, address) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().String()
}

// goOn carries what one side says to the other until either ends.
func goOn(client net.Conn, address string) {
	defer client.Close()
	server, err := tls.Dial("tcp", address, &tls.Config{ServerName: domain, InsecureSkipVerify: true}) // as such boxes do
	if err != nil {
		return
	}
	defer server.Close()
	go func() { // ends with server
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}
