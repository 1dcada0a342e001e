package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// remote is how a command reaches the HTTP API.
type remote struct{ url, token, caFile string }

const (
	envURL     = "SIGNALBOX_API_URL"
	envToken   = "SIGNALBOX_API_TOKEN"
	defaultURL = "http://127.0.0.1:8080"
)

func (r *remote) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.url, "url", "", "URL of the API; "+envURL+" or "+defaultURL+" if not given")
	c.Flags().StringVar(&r.token, "token", "", "API token; "+envToken+" if not given, which others on this machine cannot see")
	c.Flags().StringVar(&r.caFile, "ca-file", "", "certificate authorities to trust for https (PEM); those of the system if not given")
}

// remoteOf is what the flags of a command say.
func remoteOf(c *cobra.Command) *remote {
	text := func(flag string) string { return c.Flags().Lookup(flag).Value.String() }
	return &remote{url: text("url"), token: text("token"), caFile: text("ca-file")}
}

// call runs work with a client of the API.
func (r *remote) call(ctx context.Context, work func(context.Context, *client.Client) error) error {
	token := cmp.Or(r.token, os.Getenv(envToken))
	if token == "" {
		return failed(errors.New("no API token: set " + envToken + ", or give --token; \"signalbox token create\" makes one"))
	}
	trust, err := r.trust()
	if err != nil {
		return failed(err)
	}
	api, err := client.New(r.address(), token, client.Options{UserAgent: "signalbox/" + build().Version, TLS: trust})
	if err != nil {
		return marked(exitUsage, err)
	}
	defer api.Close()
	return failed(work(ctx, api))
}

// address is the URL of the API.
func (r *remote) address() string { return cmp.Or(r.url, os.Getenv(envURL), defaultURL) }

// trust is the configuration of https, or nil for the system's.
func (r *remote) trust() (*tls.Config, error) {
	if r.caFile == "" {
		return nil, nil
	}
	roots, err := trusted(r.caFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
