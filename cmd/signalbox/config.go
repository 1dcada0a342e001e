package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/config"
)

func configCommand() *cobra.Command {
	return group("config", "The server's configuration: check, print, explain",
		"  signalbox config check --config /etc/signalbox/signalbox.yaml",
		configCheckCommand(), configPrintCommand(),
		configTextCommand("doc", "Print the reference of all keys as Markdown", "  signalbox config doc > CONFIGURATION.md", config.Doc),
		configTextCommand("default", "Print a configuration file in which every key and its default stand as comments",
			"  signalbox config default > /etc/signalbox/signalbox.yaml", config.DefaultFile),
	)
}

// checked is the answer of config check.
type checked struct {
	File     string   `json:"file"`
	OK       bool     `json:"ok"`
	Mistakes []string `json:"mistakes"`
	Warnings []string `json:"warnings"`
}

func configCheckCommand() *cobra.Command {
	var s settings
	var out output
	c := &cobra.Command{
		Use:   "check",
		Short: "Read and validate the configuration, and name every mistake with its path",
		Long: "Reads the configuration as serve does and names every mistake with its path. Status 78 if there is one.\n" +
			"Whether the certificate bundle is good says \"signalbox certs inspect\".",
		Example: "  signalbox config check --config /etc/signalbox/signalbox.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			src := s.source()
			_, warnings, err := config.Load(src)
			result := checked{File: src.File, OK: err == nil, Mistakes: []string{}, Warnings: append([]string{}, warnings...)}
			if err != nil {
				result.Mistakes = strings.Split(err.Error(), "\n")
			}
			if err := out.print(c.OutOrStdout(), result, result.write); err != nil {
				return failed(err)
			}
			if !result.OK {
				return marked(exitConfig, fmt.Errorf("%s in %s", plural(len(result.Mistakes), "mistake"), fileName(src)))
			}
			return nil
		},
	}
	s.flags(c)
	out.flag(c)
	return c
}

func (r checked) write(w io.Writer) error {
	for _, m := range r.Mistakes {
		fmt.Fprintln(w, m)
	}
	for _, text := range r.Warnings {
		fmt.Fprintln(w, "warning:", text)
	}
	if r.OK {
		fmt.Fprintf(w, "%s: ok\n", r.File)
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func configPrintCommand() *cobra.Command {
	var s settings
	var out output
	c := &cobra.Command{
		Use:     "print",
		Short:   "Print the effective configuration, with passwords made unreadable",
		Long:    "Prints the effective configuration as YAML, or JSON: what is left of defaults, file, environment and command line. Passwords in URLs are made unreadable.",
		Example: "  signalbox config print --config /etc/signalbox/signalbox.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := s.load()
			if err != nil {
				return err
			}
			return failed(out.print(c.OutOrStdout(), cfg.Tree(), func(w io.Writer) error {
				text, err := cfg.Print()
				if err == nil {
					_, err = w.Write(text)
				}
				return err
			}))
		},
	}
	s.flags(c)
	out.flag(c)
	return c
}

// configTextCommand prints what the program knows by itself.
func configTextCommand(use, short, example string, text func() ([]byte, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := text()
			if err == nil {
				_, err = c.OutOrStdout().Write(b)
			}
			return failed(err)
		},
	}
}
