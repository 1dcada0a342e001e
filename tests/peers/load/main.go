// Package load is a program that plays many XMPP clients on loopback: it takes orders on standard input and reports on standard output. It shares no code with
// the servers that it loads, only the client's side of SCRAM with our other load generator.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"

	"signalbox/tests/peers/wire"
)

func main() {
	var s settings
	flag.StringVar(&s.addr, "addr", "", "address for direct TLS")
	flag.StringVar(&s.domain, "domain", "", "JID domain")
	flag.StringVar(&s.caFile, "ca", "", "PEM file of the CA")
	flag.StringVar(&s.password, "password", "", "password of all accounts")
	flag.IntVar(&s.source, "source", 2, "last byte of the first source address in 127.0.0.0/24; eight are used")
	flag.Parse()
	if err := run(s); err != nil { // the runner sees that no report comes, and shows this
		fmt.Fprintln(os.Stderr, "load:", err)
	}
}

// settings say whom to load.
type settings struct {
	addr, domain, caFile, password string
	source                         int
}

// run obeys one order after the other until standard input ends.
func run(s settings) error {
	f, err := newFleet(s)
	if err != nil {
		return err
	}
	defer f.drop()
	orders, reports := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for orders.More() {
		var o wire.Order
		if err := orders.Decode(&o); err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		r, err := f.obey(o)
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
func (f *fleet) obey(o wire.Order) (wire.Report, error) {
	work, ok := map[wire.Do]func(wire.Order) (wire.Report, error){
		wire.Login:    f.login,
		wire.Drop:     func(wire.Order) (wire.Report, error) { return f.drop(), nil },
		wire.Count:    func(wire.Order) (wire.Report, error) { return wire.Report{Done: f.open()}, nil },
		wire.Messages: f.messages,
		wire.Pings:    f.pings,
		wire.Spaces:   f.spaces,
		wire.Expect:   f.expect,
		wire.Await:    f.await,
		wire.Delays:   func(wire.Order) (wire.Report, error) { return wire.Report{Delays: f.late.take()}, nil },
		wire.Fan:      f.fan,
		wire.Push:     f.push,
		wire.Spread:   f.spread,
	}[o.Do]
	if !ok {
		return wire.Report{}, fmt.Errorf("unknown order %q", o.Do)
	}
	return work(o)
}

// tlsConfig makes full handshakes of TLS 1.3 only; classic leaves the hybrid key exchange out, which OpenSSL 3.0 does not have.
func (s settings) tlsConfig(classic bool) (*tls.Config, error) {
	pem, err := os.ReadFile(s.caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + s.caFile)
	}
	c := &tls.Config{ServerName: s.domain, RootCAs: roots, NextProtos: []string{"xmpp-client"}, MinVersion: tls.VersionTLS13}
	if classic {
		c.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	return c, nil
}
