package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// newSecret is what endpoint secret prints for programs.
type newSecret struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty"` // only if the server made it
}

func endpointSecretCommand() *cobra.Command {
	var r remote
	var out output
	var secretFile string
	c := &cobra.Command{
		Use:   "secret ID",
		Short: "Give an endpoint a new secret; its session ends, and it logs in with the new one alone",
		Long: "Replaces the secret of an endpoint, and ends its session. Without --secret-file the server makes the secret, which is printed alone on standard output, this one\n" +
			"time. What is waiting for the endpoint is kept.",
		Example: "  signalbox endpoint secret pc-1 > secret.txt\n" +
			"  signalbox endpoint secret pc-1 --secret-file secret.txt",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			secret, err := readSecret(c.InOrStdin(), secretFile)
			if err != nil {
				return failed(err)
			}
			return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
				made, err := api.ChangeSecret(ctx, args[0], secret)
				if err != nil {
					return err
				}
				return out.print(c.OutOrStdout(), newSecret{args[0], made}, func(w io.Writer) error {
					if made == "" {
						made = "the secret of " + args[0] + " is changed"
					}
					_, err := fmt.Fprintln(w, made)
					return err
				})
			})
		},
	}
	r.flags(c)
	out.flag(c)
	c.Flags().StringVar(&secretFile, "secret-file", "", "file with the secret; - is standard input")
	return c
}

// readSecret reads a secret from a file; no file is no secret.
func readSecret(stdin io.Reader, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := readInput(stdin, path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", errors.New(path + " holds no secret")
	}
	return secret, nil
}

// readInput reads a small file, or standard input if it is named -.
func readInput(stdin io.Reader, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(path)
}
