package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"signalbox/internal/client"
)

// Bounds of one request of a batch file, and of a line of it. The API takes 1,000 pushes and 8 MiB.
const (
	batchPushes = 1000
	batchBytes  = 4 << 20
	batchLine   = 256 << 10
)

// sendBatch sends the pushes of a file, as many as one request takes at once.
func (s *sending) sendBatch(c *cobra.Command, r *remote, out *output) error {
	in, err := openInput(c.InOrStdin(), s.batch)
	if err != nil {
		return failed(err)
	}
	defer in.Close()
	lines := &batchReader{lines: bufio.NewScanner(in)}
	lines.lines.Buffer(nil, batchLine)
	s.push.IdempotencyKey = keyOr(s.push.IdempotencyKey)
	return r.call(c.Context(), func(ctx context.Context, api *client.Client) error {
		all, errSend := sendLines(ctx, api, lines, s.push.IdempotencyKey)
		if err := out.print(c.OutOrStdout(), all, func(w io.Writer) error { return writeResults(w, all) }); err != nil {
			return err
		}
		if errSend != nil {
			return fmt.Errorf("%s: %w; what was sent before that is sent", s.batch, errSend)
		}
		for _, result := range all {
			if result.Problem != nil {
				return fmt.Errorf("some pushes of %s were refused", s.batch)
			}
		}
		return nil
	})
}

// openInput opens a file, or standard input if it is named -.
func openInput(stdin io.Reader, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(path)
}

// sendLines sends request after request and returns what became of the pushes. Each request has a key of its own, made of key.
func sendLines(ctx context.Context, api *client.Client, lines *batchReader, key string) ([]client.BatchResult, error) {
	all := []client.BatchResult{}
	for n := 1; ; n++ {
		items, err := lines.next()
		if err != nil || len(items) == 0 {
			return all, err
		}
		answer, err := api.SendBatch(ctx, items, fmt.Sprintf("%s-%d", key, n))
		if err != nil {
			return all, err
		}
		all = append(all, answer.Items...)
	}
}

// batchReader reads pushes, one a line; empty lines count for nothing.
type batchReader struct {
	lines *bufio.Scanner
	line  int
	ahead *client.NewPush // that was too much for the last request
	size  int             // of ahead
}

// next returns the pushes of the next request; none at the end.
func (b *batchReader) next() (items []client.NewPush, err error) {
	size := 0
	if b.ahead != nil {
		items, size, b.ahead = append(items, *b.ahead), b.size, nil
	}
	for len(items) < batchPushes && b.lines.Scan() {
		b.line++
		text := bytes.TrimSpace(b.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		var p client.NewPush
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&p); err != nil {
			return nil, fmt.Errorf("line %d is not a push: %w", b.line, err)
		}
		if size += len(text); size > batchBytes && len(items) > 0 {
			b.ahead, b.size = &p, len(text)
			return items, nil
		}
		items = append(items, p)
	}
	if err := b.lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", b.line+1, err)
	}
	return items, nil
}

// writeResults shows what became of the pushes of a batch.
func writeResults(w io.Writer, all []client.BatchResult) error {
	for _, r := range all {
		state := r.State
		if r.Problem != nil {
			state = "refused: " + r.Problem.Error()
		}
		if _, err := fmt.Fprintf(w, "%s  %s  %s\n", dash(r.ID), dash(r.To), state); err != nil {
			return err
		}
	}
	return nil
}

// dash stands for what is not there.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
