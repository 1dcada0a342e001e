package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
	"signalbox/internal/config"
)

// healthPatience bounds the question and its answer: whoever asks does so every few seconds.
const healthPatience = 4 * time.Second

func healthCommand() *cobra.Command {
	var s settings
	var live bool
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the server of this configuration whether it is ready",
		Long: "Asks the server that runs here with this configuration, at its listen.api, whether it can do its work (/readyz): status 0 if it can, 1 and what is missing if not,\n" +
			"or if nobody answers. With --live it only asks whether the process answers (/livez). It is what a container asks for its health; no token is needed.\n" +
			"It asks at a loopback address where listen.api has one. With api.allow_from, that address must be in it, unless --live is given.",
		Example: "  signalbox health\n  signalbox health --live --config /etc/signalbox/signalbox.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := s.load()
			if err != nil {
				return err
			}
			said, err := health(c.Context(), cfg, live)
			if err == nil {
				_, err = fmt.Fprintln(c.OutOrStdout(), said)
			}
			return failed(err)
		},
	}
	s.flags(c)
	c.Flags().BoolVar(&live, "live", false, "only ask whether the process answers")
	return c
}

// health asks the server of cfg. The error says why it is not well.
func health(ctx context.Context, cfg config.Config, live bool) (said string, err error) {
	listening := announced(cfg.DataDir)["api"]
	if len(listening) == 0 {
		listening = cfg.Listen.API
	}
	if len(listening) == 0 {
		return "", errors.New("listen.api is empty: the server has no port at which it could be asked")
	}
	at := nearest(listening)
	api, err := client.New(scheme(cfg)+"://"+at, "", client.Options{Timeout: healthPatience, Tries: 1, TLS: ourselves()})
	if err != nil {
		return "", err
	}
	defer api.Close()
	if live {
		return "live", unanswered(at, api.Live(ctx))
	}
	r, err := api.Ready(ctx)
	if err != nil {
		return "", unanswered(at, err)
	}
	return "ready", unready(r)
}

func scheme(cfg config.Config) string {
	if cfg.API.TLS.CertFile != "" {
		return "https"
	}
	return "http"
}

// ourselves takes any certificate. That of the API is for the name by which others know it, and nothing is said here that anybody on this machine might not hear.
func ourselves() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
}

// nearest returns the address at which this machine reaches a listener best: a loopback one, else the first.
func nearest(listening []string) string {
	for _, addr := range listening {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			continue
		}
		if host == "" {
			return net.JoinHostPort("127.0.0.1", port)
		}
		switch ip, _ := netip.ParseAddr(host); {
		case ip.IsUnspecified(): // [::] takes IPv4, too, and there may be no ::1
			return net.JoinHostPort("127.0.0.1", port)
		case ip.IsLoopback(), host == "localhost":
			return addr
		}
	}
	return listening[0]
}

// unanswered says why a question got no answer; nil stays nil.
func unanswered(at string, err error) error {
	var p *client.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p) && p.Status == http.StatusForbidden:
		return fmt.Errorf("the API at %s does not take questions from this machine: add 127.0.0.1 to api.allow_from", at)
	}
	return fmt.Errorf("the server does not answer at %s: %w", at, err)
}

// unready says what a server lacks; nil if it is ready.
func unready(r client.Readiness) error {
	if r.Ready {
		return nil
	}
	var lacks []string
	for _, c := range r.Checks {
		if !c.OK {
			lacks = append(lacks, c.Name+": "+oneLine(c.Reason))
		}
	}
	return fmt.Errorf("not ready: %s", strings.Join(lacks, "; "))
}
