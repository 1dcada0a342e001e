package enrolment

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Config says what endpoints that enrol are told.
type Config struct {
	Addresses   []string `key:"addresses" doc:"Addresses of this server as host:port, in the order in which endpoints that enrol try them. Empty: the domain with the ports of listen.tls and listen.xmpp."`
	NewIdentity bool     `key:"new_identity" doc:"For one start: accept that the server's identity key (data_dir/identity.key) is another than before, or make a new one. Endpoints that enrolled before must enrol anew."`
}

// Default returns the configuration that stands when nothing is set.
func Default() Config { return Config{} }

// Validate names every mistake with its key.
func (c Config) Validate() error {
	var errs []error
	for i, a := range c.Addresses {
		host, port, err := net.SplitHostPort(a)
		if _, errPort := strconv.ParseUint(port, 10, 16); err != nil || errPort != nil || host == "" {
			errs = append(errs, fmt.Errorf("addresses[%d]: %q is not host:port", i, a))
		}
	}
	return errors.Join(errs...)
}
