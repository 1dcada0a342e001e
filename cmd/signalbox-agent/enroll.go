package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/agent"
	"signalbox/internal/agent/enrol"
	"signalbox/internal/agent/ladder"
)

func enrollCommand() *cobra.Command {
	var out output
	var o enrol.Options
	var tokenFile string
	c := &cobra.Command{
		Use:   "enroll",
		Short: "Register this machine at its server with a one-time token",
		Long: "Makes a key for this machine, has the server register it (signalbox enrolment create makes the token), and writes the agent's configuration, which holds the server's\n" +
			"key: from then on the machine knows its server by that, whatever certificate the server has. It may be repeated with the same token if it was interrupted. Where\n" +
			"the token alone shall not stand among the arguments of a process, --token - reads it from standard input, and --token-file from a file.",
		Example: "  signalbox-agent enroll --server xmpp.example.com --token sbe_...\n" +
			"  signalbox enrolment create --endpoint pc-1 | signalbox-agent enroll --server xmpp.example.com --token - --config-dir /etc/signalbox-agent",
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&o.Server, "server", "", "the server's host, or host:port; its certificate must be for this host")
	f.StringVar(&o.Token, "token", "", "enrolment token; - reads it from standard input")
	f.StringVar(&tokenFile, "token-file", "", "file with the enrolment token")
	f.StringVar(&o.ID, "id", "", "endpoint id that this machine would like, where the token leaves it open")
	f.StringVar(&o.ConfigDir, "config-dir", defaultConfigDir(), "directory of the configuration")
	f.StringVar(&o.StateDir, "state-dir", "", "directory of the journal and the key; state in the configuration's directory if not given")
	f.StringVar(&o.Proxy, "proxy", "", "HTTP proxy on the way, http://[user@]host:port, or direct; that of the environment if not given")
	f.StringVar(&o.PasswordFile, "proxy-password-file", "", "file with the proxy's password")
	f.StringVar(&o.CAFile, "ca-file", "", "certificate authorities to trust (PEM)")
	f.StringVar(&o.Interception, "interception", agent.InterceptionDeny, agent.InterceptionDeny+" or "+agent.InterceptionAllow+": what to do where something on the way opens TLS")
	f.BoolVar(&o.Force, "force", false, "replace the configuration of an earlier enrolment")
	out.flag(c)
	_ = c.MarkFlagRequired("server") // which c has
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if o.Interception != agent.InterceptionDeny && o.Interception != agent.InterceptionAllow {
			return fmt.Errorf("--interception %q: must be %s or %s", o.Interception, agent.InterceptionDeny, agent.InterceptionAllow)
		}
		if o.Token, err = readToken(c.InOrStdin(), o.Token, tokenFile); err != nil {
			return err
		}
		done, err := enrol.Run(c.Context(), o)
		if err != nil {
			return &exitError{exitFailed, explained(err)}
		}
		return out.print(c.OutOrStdout(), done, func(w io.Writer) error { return writeEnrolled(w, done) })
	}
	return c
}

// maxToken bounds what is read as a token.
const maxToken = 1024

// readToken returns the token that was given, in one of three ways.
func readToken(stdin io.Reader, given, file string) (string, error) {
	switch {
	case given == "" && file == "":
		return "", errors.New("a token is missing: give --token or --token-file; signalbox enrolment create makes one")
	case given != "" && file != "":
		return "", errors.New("--token stands beside --token-file; keep one of them")
	case given != "" && given != "-":
		return given, nil
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxToken))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// explained adds to a failure on the way to the server what to do about it.
func explained(err error) error {
	if f := ladder.Of(err); f != nil {
		return fmt.Errorf("%s To do: %s [%s]", f.Sentence(), f.Action, f.Code)
	}
	return err
}

func writeEnrolled(w io.Writer, r enrol.Result) error {
	how := "enrolled as"
	if r.Already {
		how = "enrolled already as"
	}
	if _, err := fmt.Fprintf(w, "%s %s; start it with signalbox-agent run --config %s\n", how, r.Endpoint, r.Config); err != nil {
		return err
	}
	if r.Intercepted {
		_, err := fmt.Fprintln(w, "something on the way opens TLS and reads what passes, which --interception allow_and_flag lets it")
		return err
	}
	return nil
}
