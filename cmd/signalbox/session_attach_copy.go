package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"signalbox/internal/channel"
	channels "signalbox/internal/channel/client"
	"signalbox/internal/channel/transfer"
	"signalbox/internal/viewer"
)

// maxCuts is how often a copy goes on after a loss without having come further.
const maxCuts = 5

// copying is one file on its way.
type copying struct {
	v         *viewer.Viewer
	overwrite bool
	progress  func(arrived, size int64)
	arrived   int64
}

// copy copies one file to the endpoint or from it.
func (a *sessionAttach) copy(ctx context.Context, v *viewer.Viewer, c *cobra.Command, args []string) error {
	b := newBar(c.ErrOrStderr())
	defer b.end()
	k := &copying{v: v, overwrite: a.overwrite}
	k.progress = func(arrived, size int64) {
		k.arrived = arrived
		if size > 0 {
			b.draw(int(100*arrived/size), 100, fmt.Sprintf("%d of %d MiB", arrived>>20, size>>20))
		}
	}
	from, fromThere, err := a.place(ctx, v, args[0])
	if err != nil {
		return err
	}
	to, toThere, err := a.place(ctx, v, args[1])
	switch {
	case err != nil:
		return err
	case fromThere == toThere:
		return errors.New("one of FROM and TO must be ENDPOINT:PATH, the other a path here")
	}
	sum := channel.Sum{}
	err = k.persist(ctx, func(f *channels.Files) (err error) {
		if toThere {
			sum, err = k.upload(ctx, f, from, to)
		} else {
			sum, err = k.download(ctx, f, from, to)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.end()
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", sum)
	return err
}

// place tells a path of the endpoint from one here. The endpoint of a session that is named by its id alone is known once the server has answered.
func (a *sessionAttach) place(ctx context.Context, v *viewer.Viewer, arg string) (at string, there bool, err error) {
	endpoint := a.n.Endpoint
	if endpoint == "" {
		s, err := v.Attached(ctx)
		if err != nil {
			return "", false, err
		}
		endpoint = s.Endpoint
	}
	at, there = strings.CutPrefix(arg, endpoint+":")
	return at, there, nil
}

// persist does work on a channel of files, and again on another one after a loss, as long as that comes further.
func (k *copying) persist(ctx context.Context, work func(*channels.Files) error) error {
	for cuts := 0; ; cuts++ {
		before := k.arrived
		err := k.once(ctx, work)
		var refusal *channel.Error
		var local *os.PathError
		if err == nil || ctx.Err() != nil || errors.As(err, &refusal) || errors.As(err, &local) || errors.Is(err, viewer.ErrNoWay) {
			return err
		}
		if k.arrived > before {
			cuts = 0
		}
		if cuts >= maxCuts {
			return err
		}
	}
}

func (k *copying) once(ctx context.Context, work func(*channels.Files) error) error {
	conn, err := k.v.Open(ctx, channel.Files)
	if err != nil {
		return err
	}
	f := channels.NewFiles(conn)
	defer f.Close() //nolint:errcheck // what counts is whether the file has arrived
	return work(f)
}

// upload sends a file. A folder of the endpoint gets it under its name here.
func (k *copying) upload(ctx context.Context, f *channels.Files, from, to string) (channel.Sum, error) {
	content, err := os.Open(from)
	if err != nil {
		return channel.Sum{}, err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return channel.Sum{}, err
	}
	if is, err := f.Stat(ctx, to); err == nil && (is.Kind == channel.KindDir || is.Folder) {
		separator := "/"
		if !strings.HasPrefix(to, "/") { // Windows
			separator = `\`
		}
		to = strings.TrimSuffix(to, separator) + separator + filepath.Base(from)
	}
	return f.Upload(ctx, to, content, info.Size(), channels.UploadOptions{Overwrite: k.overwrite, Modified: info.ModTime(), Progress: k.progress})
}

// download receives a file. A folder here gets it under the endpoint's name.
func (k *copying) download(ctx context.Context, f *channels.Files, from, to string) (channel.Sum, error) {
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, path.Base(strings.ReplaceAll(from, `\`, "/")))
	}
	if _, err := os.Lstat(to); err == nil && !k.overwrite {
		return channel.Sum{}, channel.Refuse(channel.CodeExists, "%s is there already; --overwrite replaces it", to)
	}
	folder, err := os.OpenRoot(filepath.Dir(to))
	if err != nil {
		return channel.Sum{}, err
	}
	part, err := transfer.OpenPart(ctx, folder, filepath.Base(to), func(transfer.Origin) bool { return true }) // the endpoint knows whether it is the same file
	if err != nil {
		return channel.Sum{}, err
	}
	part.Overwrite = k.overwrite
	return f.Download(ctx, from, part, k.progress)
}
