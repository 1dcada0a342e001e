package turninterop

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tryUclient has coturn's test client exchange messages with a peer that sends them back, in ChannelData, also padded over UDP as RFC 5766 wants it of streams; and, in
// indications, with itself, from one allocation to another of the same session.
func tryUclient(t *testing.T, s *stage, over transport) {
	peer := echo(t, s.at)
	toPeer := []string{"-m", "1", "-e", peer.Addr().String(), "-r", port(peer)}
	for name, flags := range map[string][]string{
		"ChannelData": toPeer, "ChannelData, padded": append(toPeer, "-D"), "indications": {"-y", "-m", "2", "-s"},
	} {
		t.Run(name, func(t *testing.T) { s.uclient(t, over, flags...) })
	}
}

// echo is a peer that sends everything back.
func echo(t *testing.T, at netip.Addr) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the socket, waited for below
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(buf[:n], from) // what is lost, the client counts
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func port(a netip.AddrPort) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

var (
	nothingLost = regexp.MustCompile(`Total lost packets 0 \(0\.0+%\), total send dropped 0 `)
	badChannel  = []byte("channel bind: error 400")
)

// uclient runs the client until it ends well. It takes any channel number that RFC 5766 knows, of which RFC 8656 reserves three quarters: then it is run again.
func (s *stage) uclient(t *testing.T, over transport, flags ...string) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr(over))
	if err != nil {
		t.Fatal(err)
	}
	// Messages of 400 bytes, without a second allocation for RTCP.
	args := append([]string{"-c", "-l", "400", "-u", s.a.Username, "-w", s.a.Credential, "-p", port}, flags...)
	count, pause := "100", "5" // messages of each client, ms between them
	switch over {
	case tcp:
		args = append(args, "-t")
	case tls: // it takes a TLS record for one message, so that two may not come at the same time
		args = append(args, "-t", "-S", "-E", s.caFile)
		count, pause = "4", "500"
	}
	args = append(args, "-n", count, "-z", pause, host)
	for end := time.Now().Add(time.Minute); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "turnutils_uclient", args...)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		cancel()
		if bytes.Contains(out, badChannel) && time.Now().Before(end) {
			continue
		}
		if err != nil || !nothingLost.Match(out) {
			t.Errorf("turnutils_uclient %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return
	}
}
