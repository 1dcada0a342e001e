package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"mellium.im/xmpp/jid"

	"signalbox/internal/agent/login"
	"signalbox/internal/agent/path"
	"signalbox/internal/identity"
)

// Reach returns the login and the ways to the server that the configuration describes. Every error is a mistake in a file that the configuration names, and begins with
// its key.
func (c Config) Reach() (login.Login, *path.Finder, error) {
	id, err := c.jid()
	if err != nil {
		return login.Login{}, nil, err
	}
	secret, secretErr := c.secret()
	key, keyErr := c.key()
	server, serverErr := c.serverKey()
	password, passwordErr := c.ProxyPassword()
	tlsCfg, roots, tlsErr := path.TLSConfig(c.Domain, c.CAFile)
	proxies, proxyErr := path.NewProxies(c.Proxy, password, c.ProxyFallback, httpproxy.FromEnvironment())
	if err := errors.Join(secretErr, keyErr, serverErr, passwordErr, tlsErr, proxyErr); err != nil {
		return login.Login{}, nil, err
	}
	if !server.IsZero() {
		tlsCfg = path.Pinned(tlsCfg)
	}
	return login.Login{JID: id, Secret: secret, Key: key, Server: server, TLS: tlsCfg, AllowPlain: c.AllowPlain}, &path.Finder{
		Domain: c.Domain, Addresses: c.Addresses, Proxies: proxies, TLS: tlsCfg, Roots: roots, DNS: net.DefaultResolver, Dial: (&net.Dialer{}).DialContext,
		Network: path.ThisNetwork,
	}, nil
}

// key returns the endpoint's own key; the zero Key without one.
func (c Config) key() (identity.Key, error) {
	if c.KeyFile == "" {
		return identity.Key{}, nil
	}
	k, err := identity.Load(c.KeyFile)
	if err != nil {
		return identity.Key{}, fmt.Errorf("key_file: %w", err)
	}
	return k, nil
}

// serverKey returns the key that the server proves; the zero Public without one.
func (c Config) serverKey() (identity.Public, error) {
	if c.ServerKey == "" {
		return identity.Public{}, nil
	}
	p, err := identity.ParsePublic(c.ServerKey)
	if err != nil {
		return identity.Public{}, fmt.Errorf("server_key: %w", err)
	}
	return p, nil
}

// jid returns the agent's bare JID.
func (c Config) jid() (jid.JID, error) {
	if c.ID == "" || c.Domain == "" {
		return jid.JID{}, errors.New("id or domain is missing")
	}
	return jid.New(c.ID, c.Domain, "")
}

// secret returns the configured secret, or what its file holds without white space around it.
func (c Config) secret() (string, error) {
	if c.SecretFile == "" {
		return c.Secret, nil
	}
	return readSecret("secret_file", c.SecretFile)
}

// ProxyPassword returns what the proxy's password file holds, or nothing without one.
func (c Config) ProxyPassword() (string, error) {
	if c.ProxyPasswordFile == "" {
		return "", nil
	}
	return readSecret("proxy_password_file", c.ProxyPasswordFile)
}

// readSecret reads the file of a key, without white space around what it holds.
func readSecret(key, path string) (string, error) {
	if err := private(path); err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s: %s is empty", key, path)
	}
	return secret, nil
}
