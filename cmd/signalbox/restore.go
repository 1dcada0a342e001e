package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox/internal/backup"
	"signalbox/internal/store"
)

// restoreRun is the command that restores a backup.
type restoreRun struct {
	s       settings
	dataDir string
	force   bool
}

func restoreCommand() *cobra.Command {
	var r restoreRun
	c := &cobra.Command{
		Use: "restore ARCHIVE", Short: "Unpack a backup into data_dir while no server runs there", Args: cobra.ExactArgs(1),
		Long: "Unpacks a backup into data_dir, - from standard input. No server may run there. Nothing that is there changes before the whole archive is unpacked and verified; a server that is\n" +
			"started before all is in its place refuses to start. The configuration in the archive is put into a folder of data_dir, to be compared and copied by hand.\n" +
			"Endpoints, tokens and the server's identity are as they were when the backup was made. Run the command as the user that runs the server, or as root.",
		Example: "  signalbox restore /var/backups/signalbox-monday.tar.gz\n  signalbox restore --data-dir /srv/signalbox --force /var/backups/signalbox-monday.tar.gz",
		RunE: func(c *cobra.Command, args []string) error {
			return failed(r.run(c, args[0]))
		},
	}
	r.s.flags(c)
	c.Flags().StringVar(&r.dataDir, "data-dir", "", "directory to restore into; data_dir of the configuration if not given")
	c.Flags().BoolVar(&r.force, "force", false, "move what is in the directory into a folder in it, and restore")
	return c
}

func (r *restoreRun) run(c *cobra.Command, archive string) error {
	target, storeURL, err := r.target()
	if err != nil {
		return err
	}
	f, err := openFile(archive, c.InOrStdin())
	if err != nil {
		return err
	}
	defer f.Close()
	done, err := backup.Restore(c.Context(), f, target)
	if err != nil {
		return ofArchive(archive, err)
	}
	return tellRestored(c.OutOrStdout(), done, target, storeURL)
}

// target says where to. With --data-dir the configuration need not be there: it may be in the archive.
func (r *restoreRun) target() (backup.Target, string, error) {
	if r.dataDir != "" {
		dir, err := filepath.Abs(r.dataDir)
		return backup.Target{DataDir: dir, Force: r.force}, "", err
	}
	cfg, _, err := r.s.load()
	return backup.Target{DataDir: cfg.DataDir, Force: r.force}, cfg.Store.URL, err
}

// ofArchive names the archive where it is what is wrong.
func ofArchive(archive string, err error) error {
	for _, known := range []error{backup.ErrNoArchive, backup.ErrCutOff, backup.ErrDamaged, backup.ErrNewer} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s %w", archive, err)
		}
	}
	return err
}

// tellRestored says what was restored, and what the operator has to know now.
func tellRestored(w io.Writer, done backup.Restored, t backup.Target, storeURL string) error {
	at := done.Created.Format(time.RFC3339)
	lines := []string{
		fmt.Sprintf("restored %s of %s, written by version %s, into %s", done.Domain, at, done.Program, t.DataDir),
		"Endpoints log in as before, and know the server by its identity key. Tokens, accounts and secrets are those of that time: revoke again what was revoked since.",
		"Pushes that were answered after that are not known here: what the management server has no end of, it has to post again.",
		"Pushes that were on their way then are sent again; an agent that handled one says so without doing it twice. Those that were delivered already, and whose result came later, end as failed (no_result).",
	}
	if done.Aside != "" {
		lines = append(lines, "What was there before is in "+done.Aside+"; remove it when it is of no more use.")
	}
	if done.Files != "" {
		lines = append(lines, "The configuration and files that it named are in "+done.Files+": copy what you need.")
	}
	if path, err := store.Locate(storeURL, t.DataDir); err == nil && path != done.Database {
		lines = append(lines, "store.url names another place: move "+done.Database+" to "+path+" before the server starts.")
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
