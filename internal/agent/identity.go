package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"mellium.im/xmpp/jid"
)

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
	if err := private(c.SecretFile); err != nil {
		return "", fmt.Errorf("secret_file: %w", err)
	}
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return "", fmt.Errorf("secret_file: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("secret_file: %s is empty", c.SecretFile)
	}
	return secret, nil
}
