package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
	"signalbox/internal/config"
	"signalbox/internal/doctor"
	"signalbox/internal/support"
)

// supportRun is the command that gathers what helps to help.
type supportRun struct {
	s     settings
	r     remote
	out   outFile
	log   string
	lines int
	check bool
}

func supportCommand() *cobra.Command {
	var b supportRun
	c := &cobra.Command{
		Use: "support-bundle", Short: "Gather the facts of an installation into one archive, without its secrets", Args: cobra.NoArgs,
		Long: "Gathers what somebody needs to help: versions, the effective configuration, what doctor finds, metrics and what the running server refused lately, certificates (what is public),\n" +
			"the size of the database, limits of the system and the end of a log. Secrets are taken out: those in the configuration, in key files and bundles, in URLs and in the environment,\n" +
			"in whatever spelling they occur. Ids and addresses of endpoints may occur in the log. Nothing is read of payloads. What cannot be gathered is noted in " + support.IndexName + ".\n" +
			"Run it on the server's machine as the user that runs the server, with an API token for what the server tells to nobody else.",
		Example: "  signalbox support-bundle --log /var/log/signalbox.log\n  signalbox support-bundle --output - > bundle.tar.gz",
		RunE: func(c *cobra.Command, _ []string) error {
			return failed(b.run(c))
		},
	}
	b.s.flags(c)
	b.r.flags(c)
	b.out.flag(c, "file to write, which must not be there yet, or - for standard output; signalbox-support-TIME.tar.gz if not given")
	f := c.Flags()
	f.StringVar(&b.log, "log", "", "file with the server's log, - for standard input, as in: journalctl -u signalbox | signalbox support-bundle --log -")
	f.IntVar(&b.lines, "lines", 10000, "how many of its newest lines are taken, 1 to 1000000")
	f.BoolVar(&b.check, "check-database", false, "read all of the database and look for damage")
	return c
}

func (b *supportRun) run(c *cobra.Command) error {
	if b.lines < 1 || b.lines > 1_000_000 {
		return marked(exitUsage, fmt.Errorf("--lines %d: must be 1 to 1000000", b.lines))
	}
	b.out.path = cmp.Or(b.out.path, "signalbox-support-"+time.Now().UTC().Format("20060102T150405Z")+".tar.gz")
	src := support.Source{Version: versionData(), In: toExamine(b.s), Token: cmp.Or(b.r.token, os.Getenv(envToken)), LogLines: b.lines, Check: b.check}
	trust, err := b.r.trust()
	if err != nil {
		return err
	}
	src.API, err = client.New(b.r.address(), src.Token, client.Options{UserAgent: "signalbox/" + build().Version, TLS: trust, Tries: 1})
	if err != nil {
		return marked(exitUsage, err)
	}
	defer src.API.Close()
	if b.log != "" {
		f, err := openFile(b.log, c.InOrStdin())
		if err != nil {
			return err
		}
		defer f.Close()
		src.Log = f
	}
	var index support.Index
	err = b.out.write(c.OutOrStdout(), func(w io.Writer) error {
		index, err = support.Write(c.Context(), w, src)
		return err
	})
	if err != nil {
		return err
	}
	return tellBundle(b.out.text(c), b.out.path, index)
}

// tellBundle says what is in the bundle, and what is not.
func tellBundle(w io.Writer, path string, index support.Index) error {
	if _, err := fmt.Fprintf(w, "%s: %s; look into it before you send it\n", path, plural(len(index.Members), "member")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(index.Missing)) {
		if _, err := fmt.Fprintf(w, "%s: %s\n", name, oneLine(index.Missing[name])); err != nil {
			return err
		}
	}
	return nil
}

// toExamine is what doctor examines.
func toExamine(s settings) doctor.Installation {
	src := s.source()
	in := doctor.Installation{File: src.File}
	in.Config, in.Warnings, in.Err = config.Load(src)
	if name := fileName(src); name != src.File {
		in.Warnings = append(in.Warnings, src.File+": does not exist; --config names another")
	}
	in.Running = announced(in.Config.DataDir)
	return in
}

// versionData is what this program is, for machines.
func versionData() map[string]string {
	v := build()
	return map[string]string{"version": v.Version, "commit": v.Commit, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
}
