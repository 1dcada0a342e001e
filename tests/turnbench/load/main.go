// Package load is a program that plays TURN clients and their peers on one machine: it takes orders on standard input and reports on standard output. It shares no
// code with the servers that it loads.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"

	"signalbox/tests/beside"
	"signalbox/tests/turnbench/wire"
)

func main() {
	relay := flag.String("relay", "", "address of peers")
	caFile := flag.String("ca", "", "PEM file of the CA")
	name := flag.String("name", "", "name in the server's certificate")
	flag.Parse()
	if err := run(*relay, *caFile, *name); err != nil { // the runner sees that no report comes, and shows this
		fmt.Fprintln(os.Stderr, "load:", err)
	}
}

// settings are what every client needs.
type settings struct {
	relay netip.Addr // of peers
	tls   *tls.Config
}

// run obeys one order after the other until standard input ends.
func run(relay, caFile, name string) error {
	if err := beside.RaiseLimit(); err != nil {
		return err
	}
	addr, err := netip.ParseAddr(relay)
	if err != nil {
		return err
	}
	roots, err := pool(caFile)
	if err != nil {
		return err
	}
	f := &fleet{set: settings{relay: addr, tls: &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer f.close()
	orders, reports := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for orders.More() {
		var o wire.Order
		if err := orders.Decode(&o); err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		r, err := f.obey(context.Background(), o)
		if err != nil {
			r.Error = err.Error()
		}
		if err := reports.Encode(r); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// obey carries out one order.
func (f *fleet) obey(ctx context.Context, o wire.Order) (wire.Report, error) {
	switch o.Do {
	case wire.Open:
		return f.open(ctx, o)
	case wire.Flow:
		return f.flow(o)
	case wire.Allocate:
		return f.allocate(ctx, o)
	case wire.Latency:
		return f.latency(ctx, o)
	}
	return wire.Report{}, fmt.Errorf("unknown order %q", o.Do)
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + file)
	}
	return roots, nil
}
