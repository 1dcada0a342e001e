//go:build unix

package agent

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var resultPattern = regexp.MustCompile(`<result [^>]*id='([^']*)' status='([^']*)'>(.*?)</result>`)

// victim is an agent in a process of its own, on a server that remembers what it was told.
type victim struct {
	t        *testing.T
	listener net.Listener
	config   string
	cmd      *exec.Cmd
	answers  map[string]string // push -> status and JSON
}

func (v *victim) start() *peer {
	v.t.Helper()
	v.cmd = exec.Command(os.Args[0], v.config)
	v.cmd.Env = append(os.Environ(), envProgram+"=agent")
	must(v.t, v.cmd.Start())
	conn, err := v.listener.Accept()
	must(v.t, err)
	p := newPeer(v.t, conn).secure(nil)
	p.start()
	return p
}

// listen reads n messages, or until the agent is gone, and notes the results among them.
func (v *victim) listen(p *peer, n int) {
	var text []byte
	for seen := 0; seen < n; {
		b, err := p.readByte()
		if err != nil {
			break
		}
		text = append(text, b)
		if bytes.HasSuffix(text, []byte("</message>")) {
			seen++
		}
	}
	for _, m := range resultPattern.FindAllStringSubmatch(string(text), -1) {
		answer := m[2] + " " + m[3]
		if old, ok := v.answers[m[1]]; ok && old != answer {
			v.t.Errorf("push %s: first %s, then %s", m[1], old, answer)
		}
		v.answers[m[1]] = answer
	}
}

// However often the agent is killed, every push gets one answer, always the same, and takes effect at most once: exactly once if the answer
// is ok.
func TestKilledAgentHandlesOnce(t *testing.T) {
	dir := t.TempDir()
	effects := filepath.Join(dir, "effects")
	_, ca := testCert()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	v := &victim{t: t, listener: l, answers: map[string]string{}}
	v.config = writeFile(t, "agent.yaml", fmt.Sprintf("id: pc-1\ndomain: %s\nsecret: s3cret\nallow_plain: true\naddresses: [%q]\nca_file: %q\nstate_dir: %q\n"+
		"handlers: {demo.effect: {command: [%q, effect, %q]}}\n",
		testDomain, l.Addr().String(), writeFile(t, "ca.pem", string(ca), 0o600), filepath.Join(dir, "state"), os.Args[0], effects), 0o600)

	const rounds, perRound = 8, 6 // more messages come in a round than are read before the kill
	pushes := 0
	send := func(p *peer) {
		pushes += perRound
		for i := range pushes {
			id := fmt.Sprintf("psh_%02d", i)
			if _, ok := v.answers[id]; !ok {
				p.send(pushXML(id, "demo.effect", ""))
			}
		}
	}
	for round := range rounds {
		p := v.start()
		send(p)
		v.listen(p, 1+round)
		must(t, v.cmd.Process.Kill())
		v.cmd.Wait() // it says that the process was killed
		v.listen(p, 1<<20)
	}
	p := v.start()
	send(p)
	for len(v.answers) < pushes {
		v.listen(p, 1)
	}
	must(t, v.cmd.Process.Signal(syscall.SIGTERM))
	v.listen(p, 1<<20)
	must(t, v.cmd.Wait())

	text, err := os.ReadFile(effects)
	must(t, err)
	counts := map[string]int{}
	for _, id := range strings.Fields(string(text)) {
		counts[id]++
	}
	for id, answer := range v.answers {
		switch {
		case answer == "ok " && counts[id] == 1:
		case strings.Contains(answer, ReasonInterrupted) && counts[id] <= 1:
		default:
			t.Errorf("push %s: answer %q, %d effects", id, answer, counts[id])
		}
	}
}
