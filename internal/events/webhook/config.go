package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// Config is where events go by HTTP: to the management server, and to what is registered as webhooks.
type Config struct {
	Host            string        `key:"host" doc:"Management server that gets events, as host or host:port; ITSM_WEB_HOST in the environment. Empty: events go to webhooks and streams alone."`
	Address         string        `key:"address" doc:"IP address of that server if DNS does not know it; ITSM_WEB_IP in the environment. Its certificate is verified against the host all the same."`
	Path            string        `key:"path" doc:"Path on that server to which events are posted by https."`
	SecretFile      string        `key:"secret_file" doc:"File with the secrets that sign those events (Standard Webhooks): whsec_... or whsk_..., one on each line, the newest first; an old one stands below as long as receivers still have it. Empty: events.secret in data_dir, made at the first start."`
	Types           []string      `key:"types" doc:"Types of events that the management server gets, such as endpoint.* or push.failed; empty: all but push.accepted and push.sent."`
	CAFile          string        `key:"ca_file" doc:"Certificate authorities (PEM), beside those of the system, that the management server and the receivers of webhooks may have their certificates from."`
	WebhookAllow    []string      `key:"webhook_allow" doc:"Internal networks, as CIDR prefixes, where receivers of webhooks may be. Addresses of the link, of metadata services, multicast and the ports of this server are never reached. The management server of the configuration is not bound to this."`
	Timeout         time.Duration `key:"timeout" doc:"How long one attempt to hand an event over may take; 1s to 60s."`
	Retries         []string      `key:"retries" doc:"Waits between the attempts for a webhook, durations; after the last it is disabled."`
	ManagementRetry time.Duration `key:"management_retry" doc:"Longest wait between attempts for the management server, which is never given up: waits begin with 1s and double; 1s to 1h."`
	Parallel        int           `key:"parallel" doc:"Events of different endpoints that are on the way to one receiver at a time; 1 to 64. Those of one endpoint follow each other."`
}

// Default returns the schedule that Standard Webhooks recommends, and private networks open: on-premise, receivers are there.
func Default() Config {
	return Config{
		Path:            "/signalbox/events",
		WebhookAllow:    []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"},
		Timeout:         15 * time.Second,
		Retries:         []string{"5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"},
		ManagementRetry: time.Minute,
		Parallel:        16,
	}
}

// Validate returns all mistakes, each beginning with its key.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, mistake string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(mistake, args...))
		}
	}
	if c.Host != "" {
		u, err := c.management()
		check(err == nil && u.Hostname() != "" && !strings.ContainsAny(c.Host, "/@?# ") && validPort(u.Port()), "host: %q is not a host such as itsm.example.com or itsm.example.com:8443", c.Host)
	}
	if c.Address != "" {
		_, err := netip.ParseAddr(c.Address)
		check(err == nil, "address: %q is not an IP address such as 192.0.2.1", c.Address)
		check(c.Host != "", "address: is set, but host is not, which it is the address of")
	}
	check(strings.HasPrefix(c.Path, "/") && path.Clean(c.Path) == c.Path && !strings.ContainsAny(c.Path, "?# "), "path: %q is not a path such as /signalbox/events", c.Path)
	if err := CheckTypes(c.Types); err != nil {
		errs = append(errs, fmt.Errorf("types: %w", err))
	}
	_, err := c.allowed()
	errs = append(errs, err)
	_, err = c.steps()
	errs = append(errs, err)
	check(c.Timeout >= time.Second && c.Timeout <= time.Minute, "timeout: is %v, must be 1s to 60s", c.Timeout)
	check(c.ManagementRetry >= time.Second && c.ManagementRetry <= time.Hour, "management_retry: is %v, must be 1s to 1h", c.ManagementRetry)
	check(c.Parallel >= 1 && c.Parallel <= 64, "parallel: is %d, must be 1 to 64", c.Parallel)
	return errors.Join(errs...)
}

// management is the URL of the management server.
func (c Config) management() (*url.URL, error) {
	host := c.Host
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	return url.Parse("https://" + host + c.Path)
}

// ManagementURL is where events go for the management server; empty: nowhere.
func (c Config) ManagementURL() string {
	u, err := c.management()
	if c.Host == "" || err != nil {
		return ""
	}
	return u.String()
}

// ManagementName is the name that the management server's certificate must be for.
func (c Config) ManagementName() string {
	u, err := c.management()
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// ManagementAddr is what has to be connected to for the management server: host and port.
func (c Config) ManagementAddr() string {
	u, err := c.management()
	if err != nil {
		return ""
	}
	host, port := u.Hostname(), u.Port()
	if c.Address != "" {
		host = c.Address
	}
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(host, port)
}

func validPort(text string) bool {
	if text == "" {
		return true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func (c Config) allowed() (all []netip.Prefix, err error) {
	var errs []error
	for i, text := range c.WebhookAllow {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("webhook_allow[%d]: %q is not a CIDR prefix such as 10.1.0.0/16", i, text))
			continue
		}
		all = append(all, p.Masked())
	}
	return all, errors.Join(errs...)
}

// maxSteps bounds the retries of a webhook.
const maxSteps = 32

func (c Config) steps() (all steps, err error) {
	var errs []error
	for i, text := range c.Retries {
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Millisecond || d > 7*24*time.Hour {
			errs = append(errs, fmt.Errorf("retries[%d]: %q is not a duration such as 5s or 30m, of 168h at most", i, text))
		}
		all = append(all, d)
	}
	if len(c.Retries) > maxSteps || len(c.Retries) == 0 {
		errs = append(errs, fmt.Errorf("retries: has %d waits, must have 1 to %d", len(c.Retries), maxSteps))
	}
	return all, errors.Join(errs...)
}
