package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

const (
	importChunk = 500             // endpoints of one request: the progress is seen, and a broken one loses little
	importTries = 20              // how often a chunk is sent that the server has no time for
	importPause = 2 * time.Second // before it is sent again
)

// importer is the command that registers many endpoints out of a file.
type importer struct {
	remote     remote
	out        output
	dryRun     bool
	host       string
	onExisting string
}

func endpointImportCommand() *cobra.Command {
	var im importer
	c := &cobra.Command{
		Use:     "import FILE",
		Aliases: []string{"batch"},
		Short:   "Register the endpoints of a file: the export of another server (XEP-0227), or one JSON object per line",
		Long: "Register the endpoints of a file, which is the portable export of another XMPP server (XEP-0227), with the files that it includes, or, where its name ends in\n" +
			".ndjson or .jsonl, one JSON object per line as POST /v1/endpoints/batch takes them. Endpoints keep their passwords. An import that was interrupted can be started again.",
		Example: "  signalbox endpoint import server-data.xml --dry-run\n" +
			"  signalbox endpoint import server-data.xml --host xmpp.example.com\n" +
			"  signalbox endpoint import endpoints.ndjson --on-existing update -o json",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return im.run(c, args[0]) },
	}
	im.remote.flags(c)
	im.out.flag(c)
	c.Flags().BoolVar(&im.dryRun, "dry-run", false, "only say what would be done; needs no server")
	c.Flags().StringVar(&im.host, "host", "", "host of the export whose accounts are taken; needed where it has several")
	c.Flags().StringVar(&im.onExisting, "on-existing", "skip", "what becomes of endpoints that exist: skip, update or fail")
	return c
}

func (im *importer) run(c *cobra.Command, path string) error {
	switch im.onExisting {
	case "skip", "update", "fail":
	default:
		return fmt.Errorf("--on-existing %q: must be skip, update or fail", im.onExisting)
	}
	report, err := im.look(path)
	if err != nil {
		return failed(err)
	}
	if !im.dryRun {
		err = im.remote.call(c.Context(), func(ctx context.Context, api *client.Client) error {
			return im.send(ctx, api, path, report, newBar(c.ErrOrStderr()))
		})
	}
	if report.Requests == 0 && err != nil { // nothing was done that anybody must be told of
		return err
	}
	if errOut := im.out.print(c.OutOrStdout(), report, report.write); errOut != nil {
		return failed(errOut)
	}
	if err == nil && len(report.Failed) > 0 {
		err = failed(fmt.Errorf("%d endpoints were not registered", len(report.Failed)))
	}
	return err
}

// look reads the whole file once, so that what is wrong with it is known before anything is done.
func (im *importer) look(path string) (*importReport, error) {
	report := &importReport{DryRun: im.dryRun, Made: map[string]string{}}
	err := im.source(path).read(report, func(client.BatchItem) error {
		report.Accounts++
		return nil
	})
	return report, err
}

// send registers the endpoints of the file chunk by chunk.
func (im *importer) send(ctx context.Context, api *client.Client, path string, report *importReport, b *bar) error {
	defer b.end()
	done := 0
	chunk := make([]client.BatchItem, 0, importChunk)
	flush := func() error {
		err := im.save(ctx, api, chunk, report)
		done += len(chunk)
		b.draw(done, max(done, report.Accounts), fmt.Sprintf("%d of %d accounts", done, report.Accounts))
		chunk = chunk[:0]
		return err
	}
	err := im.source(path).read(&importReport{}, func(item client.BatchItem) error {
		if chunk = append(chunk, item); len(chunk) < importChunk {
			return nil
		}
		return flush()
	})
	if err == nil && len(chunk) > 0 {
		err = flush()
	}
	return err
}

// save registers a chunk. What the server had no time for is sent again.
func (im *importer) save(ctx context.Context, api *client.Client, items []client.BatchItem, report *importReport) error {
	for try := 1; ; try++ {
		result, err := api.SaveEndpoints(ctx, items, im.onExisting)
		report.Requests++
		var p *client.Problem
		if err != nil && !(errors.As(err, &p) && p.Code == "busy" && try < importTries) {
			return err
		}
		if err == nil {
			if items = report.take(items, result, try < importTries); len(items) == 0 {
				return nil
			}
		}
		select {
		case <-time.After(importPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
