package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// remote is how a command reaches the HTTP API.
type remote struct{ url, token string }

const (
	envURL     = "SIGNALBOX_API_URL"
	envToken   = "SIGNALBOX_API_TOKEN"
	defaultURL = "http://127.0.0.1:8080"
)

func (r *remote) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.url, "url", "", "URL of the API; "+envURL+" or "+defaultURL+" if not given")
	c.Flags().StringVar(&r.token, "token", "", "API token; "+envToken+" if not given, which others on this machine cannot see")
}

// call runs work with a client of the API.
func (r *remote) call(ctx context.Context, work func(context.Context, *client.Client) error) error {
	url, token := r.url, r.token
	if url == "" {
		url = os.Getenv(envURL)
	}
	if url == "" {
		url = defaultURL
	}
	if token == "" {
		token = os.Getenv(envToken)
	}
	if token == "" {
		return failed(errors.New("no API token: set " + envToken + ", or give --token; \"signalbox token create\" makes one"))
	}
	api, err := client.New(url, token, client.Options{UserAgent: "signalbox/" + build().Version})
	if err != nil {
		return marked(exitUsage, err)
	}
	defer api.Close()
	return failed(work(ctx, api))
}
