package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

func auditCommand() *cobra.Command {
	return group("audit", "The audit trail: who did what to whom",
		"  signalbox audit tail --action session.\n  signalbox audit verify",
		auditTailCommand(), auditVerifyCommand(), auditExportCommand())
}

// auditTail is the command that shows the newest entries, and those that come.
type auditTail struct {
	r      remote
	out    output
	filter client.AuditFilter
	follow bool
	last   int64 // number of the newest entry that was shown
}

// auditInterval is how often entries that come are looked for.
const auditInterval = time.Second

func auditTailCommand() *cobra.Command {
	var t auditTail
	c := &cobra.Command{
		Use: "tail", Short: "Show the newest entries, over the HTTP API", Args: cobra.NoArgs,
		Example: "  signalbox audit tail --lines 50\n  signalbox audit tail --follow --action session. --actor technician:ann",
		RunE: func(c *cobra.Command, _ []string) error {
			return t.r.call(c.Context(), func(ctx context.Context, api *client.Client) error { return t.run(ctx, api, c.OutOrStdout()) })
		},
	}
	t.r.flags(c)
	t.out.flag(c)
	f := c.Flags()
	f.IntVarP(&t.filter.Limit, "lines", "n", 20, "how many entries to begin with, 1 to 500")
	f.BoolVarP(&t.follow, "follow", "f", false, "go on with those that come")
	f.StringVar(&t.filter.Actor, "actor", "", "only what this actor did, such as token:management or technician:ann")
	f.StringVar(&t.filter.Action, "action", "", "only this action, or with a dot at its end all that begin so, such as session.")
	f.StringVar(&t.filter.Subject, "subject", "", "only what was done to this, such as the id of a session")
	return c
}

// run shows entries until there are no more or, where it follows, until ctx is done.
func (t *auditTail) run(ctx context.Context, api *client.Client, w io.Writer) error {
	page, err := api.Audit(ctx, t.filter)
	if err != nil {
		return err
	}
	if err := t.show(w, page.Items); err != nil || !t.follow {
		return err
	}
	ticker := time.NewTicker(auditInterval)
	defer ticker.Stop()
	t.filter.Limit = 500
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		news, err := t.news(ctx, api)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = t.show(w, news)
		}
		if err != nil {
			return err
		}
	}
}

// news returns the entries behind the newest that was shown, the newest first.
func (t *auditTail) news(ctx context.Context, api *client.Client) (all []client.AuditEntry, err error) {
	for f := t.filter; ; {
		page, err := api.Audit(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			if e.Seq <= t.last {
				return all, nil
			}
			all = append(all, e)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return all, nil
		}
	}
}

// show writes entries, which come the newest first, in the order in which they were made.
func (t *auditTail) show(w io.Writer, entries []client.AuditEntry) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, e := range slices.Backward(entries) {
		t.last = max(t.last, e.Seq)
		if t.out.format != formatText {
			if err := enc.Encode(e); err != nil {
				return err
			}
			continue
		}
		words := []string{timeText(e.At), fmt.Sprintf("%-20s", e.Actor), fmt.Sprintf("%-18s", e.Action), e.Subject}
		if detail := string(e.Detail); detail != "{}" {
			words = append(words, detail)
		}
		if _, err := fmt.Fprintln(printable{w}, strings.TrimRight(strings.Join(words, "  "), " ")); err != nil {
			return err
		}
	}
	return nil
}

// auditExportCommand writes the whole trail.
func auditExportCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "export", Short: "Write the whole trail of the configured store to standard output, with the signatures that vouch for it, whether the server runs or not",
		Long: "Writes the audit trail of the configured store to standard output: lines of JSON, first the signed heads, then the entries. The newest entry is signed before that, so that\n" +
			"\"signalbox audit verify --file\" finds whatever is changed in the file, or cut off.",
		Example: "  signalbox audit export > audit.ndjson\n  signalbox audit verify --file audit.ndjson", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.exportAudit(c.Context(), c.OutOrStdout()) },
	}
	s.flags(c)
	return c
}

// openFile opens a file that is named, or standard input for "-".
func openFile(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}
