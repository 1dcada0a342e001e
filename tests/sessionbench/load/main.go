package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"signalbox/internal/client"
	"signalbox/internal/viewer"
)

// technician opens sessions and takes part in them.
type technician struct {
	api  *client.Client
	web  *http.Client
	turn func(ctx context.Context, address string, secure bool) (net.Conn, error)
	dir  string // for files that are received

	leave func() // ends what the last order has left behind
}

// orderWithin bounds one order.
const orderWithin = 2 * time.Minute

func main() {
	api := flag.String("api", "", "URL of the API; its token is in the environment, as TOKEN")
	ca := flag.String("ca", "", "certificate authority (PEM)")
	dir := flag.String("dir", "", "directory for files that are received")
	flag.Parse()
	t, err := newTechnician(*api, *ca, *dir)
	if err == nil {
		err = t.serve()
	}
	if err != nil { // the runner sees that no report comes, and shows this
		fmt.Fprintln(os.Stderr, "load:", err)
	}
}

func newTechnician(api, ca, dir string) (*technician, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	c, err := client.New(api, os.Getenv("TOKEN"), client.Options{})
	return &technician{
		api: c, dir: dir, leave: func() {}, web: &http.Client{Transport: &http.Transport{TLSClientConfig: trust}},
		turn: func(ctx context.Context, address string, _ bool) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
	}, err
}

// serve carries out orders until there are no more.
func (t *technician) serve() error {
	orders, reports := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	defer func() { t.leave() }()
	for orders.More() {
		var o order
		if err := orders.Decode(&o); err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		t.leave()
		t.leave = func() {}
		r, err := t.obey(o)
		if err != nil {
			r.Why = err.Error()
		}
		if err := reports.Encode(r); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

func (t *technician) obey(o order) (r report, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), orderWithin)
	defer cancel()
	switch o.Do {
	case doTerminal:
		return t.terminal(ctx, o)
	case doUpload:
		return t.transfer(ctx, o, t.upload)
	case doDownload:
		return t.transfer(ctx, o, t.download)
	case doStall:
		t.leave, err = t.stall(ctx, o)
		return r, err
	}
	return r, errors.New("no such order")
}

// attend opens a session and takes part in it until leave is called, which ends it.
func (t *technician) attend(ctx context.Context, transport, kind string) (v *viewer.Viewer, leave func(), err error) {
	grant, err := t.api.OpenSession(ctx, client.NewSession{
		Endpoint: "pc-1", Technician: client.Technician{ID: "load"}, Kinds: []string{kind}, Transport: transport, Consent: &client.NewConsent{Mode: "none"},
	})
	if err != nil {
		return nil, nil, err
	}
	v = viewer.New(viewer.Config{
		Session: grant.ID, Token: grant.Token, Call: viewer.WebSocket(grant.SignallingURL, t.web), HTTP: t.web, Loopback: true, Dial: t.turn,
	})
	running, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // leave waits for it
		defer close(ended)
		_ = v.Run(running) // what goes wrong shows in what is done
	}()
	return v, func() {
		bye, cancel := context.WithTimeout(running, 5*time.Second)
		defer cancel()
		if v.End(bye) == nil {
			select {
			case <-ended:
			case <-bye.Done():
			}
		}
		stop()
		<-ended
	}, nil
}
