package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/backup"
	"signalbox/internal/config"
	"signalbox/internal/store"
)

// backupRun is the command that writes a backup.
type backupRun struct {
	s     settings
	out   outFile
	certs bool
	work  string
}

func backupCommand() *cobra.Command {
	var b backupRun
	c := &cobra.Command{
		Use: "backup", Short: "Write the whole state into one archive, beside the running server or without one", Args: cobra.NoArgs,
		Long: "Writes the database, the keys in data_dir, the configuration and the files that it names into one archive, whether the server runs or not, and without stopping it.\n" +
			"Every push that was answered before the command began is in it. The database is copied first, to a folder beside the archive, and checked.\n" +
			"The archive holds secrets, the server's identity key among them: keep it as safe as data_dir. Run the command as the user that runs the server.",
		Example: "  signalbox backup --output /var/backups/signalbox-monday.tar.gz\n  signalbox backup --certs --output - > /mnt/backup.tar.gz",
		RunE: func(c *cobra.Command, _ []string) error {
			return failed(b.run(c))
		},
	}
	b.s.flags(c)
	b.out.flag(c, "file to write, which must not be there yet; - for standard output")
	c.Flags().BoolVar(&b.certs, "certs", false, "take the certificate bundles with their private keys, too")
	c.Flags().StringVar(&b.work, "work", "", "folder for the copy of the database meanwhile; that of the archive, or TMPDIR for standard output, if not given")
	return need(c, "output")
}

func (b *backupRun) run(c *cobra.Command) error {
	cfg, _, err := b.s.load()
	if err != nil {
		return err
	}
	src, err := b.source(cfg)
	if err != nil {
		return err
	}
	var report backup.Report
	err = b.out.write(c.OutOrStdout(), func(w io.Writer) error {
		report, err = backup.Write(c.Context(), w, src)
		return noSpace(err)
	})
	if err != nil {
		return err
	}
	for _, path := range report.Missing {
		fmt.Fprintf(c.ErrOrStderr(), "%s: the configuration names it, and it is not there\n", path)
	}
	_, err = fmt.Fprintf(b.out.text(c), "%s: %s of %s, %d MiB unpacked, all that was answered before %s\n",
		b.out.path, plural(report.Members, "member"), report.Domain, report.Bytes>>20, report.Created.Format(time.RFC3339))
	return err
}

// source says what is backed up, and refuses places in which a backup would eat itself or be lost with what it is of.
func (b *backupRun) source(cfg config.Config) (backup.Source, error) {
	database, err := store.Locate(cfg.Store.URL, cfg.DataDir)
	if err != nil {
		return backup.Source{}, err
	}
	src := backup.Source{Program: build().Version, Domain: cfg.Domain, DataDir: cfg.DataDir, Database: database, Work: b.work}
	if b.out.path != "-" {
		path, err := filepath.Abs(b.out.path)
		if err != nil {
			return src, err
		}
		if rel, err := filepath.Rel(realPath(cfg.DataDir), realPath(filepath.Dir(path))); err == nil && filepath.IsLocal(rel) {
			return src, fmt.Errorf("%s is in data_dir: a backup there would hold itself and be lost with it; name a file elsewhere", b.out.path)
		}
		src.Work = cmp.Or(src.Work, filepath.Dir(path))
	}
	src.Files, err = b.files(cfg)
	return src, err
}

// realPath is a path without symbolic links, where that can be found out.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// files returns the configuration and the files that it names. Certificates are mostly looked after by other programs, and are taken on demand.
func (b *backupRun) files(cfg config.Config) (files []string, err error) {
	src := b.s.source()
	path, err := filepath.Abs(src.File)
	if err != nil {
		return nil, err
	}
	for _, own := range []string{path, filepath.Join(filepath.Dir(path), config.DotEnv)} {
		if _, err := os.Stat(own); !errors.Is(err, fs.ErrNotExist) {
			files = append(files, own)
		}
	}
	for _, f := range cfg.Files() {
		if (f.Key != "certs.files" || b.certs) && !strings.HasPrefix(f.Path, cfg.DataDir+string(filepath.Separator)) {
			files = append(files, f.Path)
		}
	}
	if b.certs {
		bundles, err := filepath.Glob(filepath.Join(cfg.Certs.Dir, "*.pem"))
		if err != nil {
			return nil, err
		}
		files = append(files, bundles...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// noSpace says what to do where the archive does not fit.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("no space is left for the archive or for the copy of the database: free some, or name folders on a larger disk by --output and --work: %w", err)
	}
	return err
}
