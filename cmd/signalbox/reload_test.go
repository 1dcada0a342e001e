package main

import (
	"strings"
	"syscall"
	"testing"
)

func TestHangUpReloads(t *testing.T) {
	in := install(t)
	reload := func(says ...string) {
		t.Helper()
		before := len(in.server.said())
		if err := in.server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for _, want := range says {
			if !eventually(func() bool { return strings.Contains(in.server.said()[before:], want) }) {
				t.Errorf("the server does not say %q", want)
			}
		}
	}
	reload(`"msg":"reloaded"`)

	writeFile(t, in.path("signalbox.yaml"), labConfig+"log: {level: debug}\npush: {window: 7}\n")
	reload(`"key":"push.window"`, `"msg":"reloaded"`)
	must(t, in.env, "signalbox", "endpoint", "list") // is logged as debug
	if !eventually(func() bool { return strings.Contains(in.server.said(), `"level":"debug"`) }) {
		t.Error("the log level did not change")
	}
	if strings.Contains(in.server.said(), `"key":"log.level"`) {
		t.Error("the log level is said to need a restart")
	}

	writeFile(t, in.path("signalbox.yaml"), "domian: x\n")
	reload("stays as it was")
	writeFile(t, in.path("certs/lab.example.pem"), "no certificate")
	reload("certificates were read again and are not all good")
	must(t, in.env, "signalbox", "endpoint", "show", "pc-1")
	if err := in.server.end(t, syscall.SIGTERM); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
