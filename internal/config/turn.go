package config

import (
	"errors"
	"fmt"
	"strings"

	"signalbox/internal/access"
	"signalbox/turn/control"
	"signalbox/xmpp/feature"
)

// TURN is the TURN server of our own, and what is known of others.
type TURN struct {
	Own
	Servers            []string `key:"servers" doc:"Other STUN and TURN servers that clients are told of (XEP-0215), each as host, host:port, or a URI such as turns:turn.example.com:443?transport=tcp; ITSM_TURN_SERVERS in the environment. A host without a scheme stands for STUN, and TURN over UDP and TCP. Parties of remote sessions get our own server alone."`
	ExternalSecretFile string   `key:"external_secret_file" doc:"File with the secret that those TURN servers share with us, 16 bytes or more (coturn: use-auth-secret, static-auth-secret). Clients get credentials for 12 to 13 hours; without it no TURN server is handed out, only STUN."`
}

// Own is the TURN server of our own.
type Own = control.Config

// Services returns the other servers.
func (t TURN) Services() (all []feature.Service, err error) {
	var errs []error
	for i, text := range t.Servers {
		services, err := feature.ParseServices(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("servers[%d]: %w", i, err))
		}
		all = append(all, services...)
	}
	return all, errors.Join(errs...)
}

// Secret reads the secret; nil: there is none.
func (t TURN) Secret() ([]byte, error) {
	if t.ExternalSecretFile == "" {
		return nil, nil
	}
	secret, err := access.ReadSharedSecret(t.ExternalSecretFile)
	if err != nil {
		return nil, fmt.Errorf("external_secret_file: %w", err)
	}
	return secret, nil
}

// Validate names every mistake.
func (t TURN) Validate() error {
	_, err := t.Services()
	return errors.Join(err, t.Own.Validate())
}

// seedPublicIP takes the seed's variable with the public address of the server.
func (l *loader) seedPublicIP(value string) {
	if value != "" && len(l.cfg.TURN.PublicIP) == 0 {
		l.cfg.TURN.PublicIP = []string{value}
	}
}

// seedTURN takes the servers of the seed's variable, which are separated by commas or spaces. Without the secret they are of little use, which is no mistake in a
// file that comes from elsewhere.
func (l *loader) seedTURN(value string) {
	if value != "" && len(l.cfg.TURN.Servers) == 0 {
		l.cfg.TURN.Servers = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	}
	if len(l.cfg.TURN.Servers) > 0 && l.cfg.TURN.ExternalSecretFile == "" {
		l.warn("turn.external_secret_file", "is not set: clients are told of STUN servers, and of no TURN server, for which they would need credentials")
	}
}
