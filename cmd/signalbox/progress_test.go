package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"signalbox/internal/client"
)

// TestBarOnATerminal: one line that is written over, to its end, and left in the end.
func TestBarOnATerminal(t *testing.T) {
	var out bytes.Buffer
	b := &bar{w: &out, terminal: true}
	b.draw(0, 3, "0 of 3 over: 3 accepted")
	b.draw(2, 3, "2 of 3 over: 2 handled, 1 accepted")
	b.draw(5, 3, "over")
	b.end()
	want := "\r[..............................] 0 of 3 over: 3 accepted" +
		"\r[####################..........] 2 of 3 over: 2 handled, 1 accepted" +
		"\r[##############################] over" + strings.Repeat(" ", len("2 of 3 over: 2 handled, 1 accepted")-len("over")) + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("the terminal got (-want +got):\n%s", diff)
	}
}

// TestBarInAFile: a line for every tenth, and none that says the same again.
func TestBarInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := newBar(f)
	b.show(client.Push{Ack: ackHandled}) // its targets are not known yet
	for n := range 21 {
		b.show(client.Push{Ack: ackHandled, Targets: 20, Counts: map[string]int{stateHandled: n, stateDelivered: 20 - n}})
	}
	b.end()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 11 || lines[1] != "2 of 20 over: 18 delivered, 2 handled" || !strings.HasPrefix(lines[10], "20 of 20 over: 20 handled") {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
}

// TestBarOfACampaign: on a terminal, what was sent of it, until it is over.
func TestBarOfACampaign(t *testing.T) {
	states := []client.Campaign{
		{State: "running", Sent: 1, Targets: 2, Counts: map[string]int{stateSent: 1}},
		{State: "finished", Sent: 2, Targets: 2, Counts: map[string]int{stateHandled: 2}},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(states[0]); err != nil {
			t.Error(err)
		}
		states = states[1:]
	}))
	defer srv.Close()
	api, err := client.New(srv.URL, "", client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	master, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer terminal.Close()
	over, err := followCampaign(t.Context(), api, "cmp_0", terminal)
	if err != nil || over.State != "finished" {
		t.Fatalf("followCampaign() = %+v, %v", over, err)
	}
	want := "\r[###############...............] running, 1 of 2 sent: 1 sent\r[##############################] finished, 2 of 2 sent: 2 handled\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(master, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the terminal got (-want +got):\n%s", diff)
	}
}
