package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/audit"
	"signalbox/internal/config"
	"signalbox/internal/identity"
	"signalbox/internal/store"
)

// identityFile is the server's identity key in data_dir.
const identityFile = "identity.key"

// auditCheck is the command that looks for changes of the trail.
type auditCheck struct {
	s    settings
	out  output
	file string
	keys []string
}

func auditVerifyCommand() *cobra.Command {
	var v auditCheck
	c := &cobra.Command{
		Use: "verify", Short: "Check that no entry was changed, dropped, moved or cut off: in the configured store, whether the server runs or not, or in an exported file",
		Long: "Follows the chain from its first entry to its last, and holds the signed heads against it. The first entry that is wrong is named, and the status is 1.\n" +
			"Heads are signed every hour and when the server stops. Whoever can write to the store and has the identity key can make another trail: keep exported files elsewhere.",
		Example: "  signalbox audit verify\n  signalbox audit verify --file audit.ndjson --key sbk1:...", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := v.check(c.Context(), c.InOrStdin())
			if err != nil {
				return failed(err)
			}
			shown := showReport(report)
			if err := v.out.print(c.OutOrStdout(), shown, func(w io.Writer) error { return writeReport(w, shown) }); err != nil {
				return failed(err)
			}
			if report.Bad != nil {
				return failed(fmt.Errorf("the audit trail is not what it was: %w", report.Bad))
			}
			return nil
		},
	}
	v.s.flags(c)
	v.out.flag(c)
	c.Flags().StringVar(&v.file, "file", "", "exported trail to check instead of the store; - for standard input")
	c.Flags().StringSliceVar(&v.keys, "key", nil, "public keys that heads may be signed with; the identity key in data_dir if not given")
	return c
}

// check reads the trail.
func (v *auditCheck) check(ctx context.Context, stdin io.Reader) (audit.Report, error) {
	trusted, err := parseKeys(v.keys)
	if err != nil {
		return audit.Report{}, marked(exitUsage, err)
	}
	var cfg config.Config
	if v.file == "" || trusted == nil {
		if cfg, _, err = v.s.load(); err != nil {
			return audit.Report{}, err
		}
	}
	if trusted == nil {
		key, err := loadIdentity(cfg)
		if err != nil {
			return audit.Report{}, err
		}
		trusted = []audit.PublicKey{key.Public()}
	}
	if v.file == "" {
		return checkStore(ctx, cfg, trusted)
	}
	f, err := openFile(v.file, stdin)
	if err != nil {
		return audit.Report{}, err
	}
	defer f.Close()
	return audit.CheckFile(f, trusted...)
}

func parseKeys(texts []string) (keys []audit.PublicKey, err error) {
	for _, text := range texts {
		key, err := identity.ParsePublic(text)
		if err != nil {
			return nil, fmt.Errorf("--key %q %w", text, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// loadIdentity reads the key that signs the trail.
func loadIdentity(cfg config.Config) (identity.Key, error) {
	key, err := identity.Load(filepath.Join(cfg.DataDir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: no server has run with this data_dir; --key names the public key of the server that made the trail", err)
	}
	return key, err
}

// errStop ends the reading of a trail once something is wrong.
var errStop = errors.New("enough was read")

// checkStore checks the trail in the configured store, and writes nothing.
func checkStore(ctx context.Context, cfg config.Config, trusted []audit.PublicKey) (report audit.Report, err error) {
	st, err := openStore(ctx, cfg)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	heads, err := st.AuditHeads(ctx) // before the entries: all that they name are there then
	if err != nil {
		return report, err
	}
	c := audit.NewChecker(heads, trusted...)
	err = st.EachAuditEntry(ctx, func(e audit.Entry) error {
		if !c.Add(e) {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return c.Report(), err
}

// exportAudit signs the newest entry and writes the trail.
func (s *settings) exportAudit(ctx context.Context, w io.Writer) error {
	cfg, _, err := s.load()
	if err != nil {
		return err
	}
	key, err := loadIdentity(cfg)
	if err != nil {
		return failed(err)
	}
	return failed(onStore(ctx, cfg, func(ctx context.Context, st *store.Store) error {
		if _, err := audit.SignEnd(ctx, st, key, key.Public().String()); err != nil {
			return err
		}
		heads, err := st.AuditHeads(ctx)
		if err != nil {
			return err
		}
		buffered := bufio.NewWriter(w)
		out := audit.NewWriter(buffered)
		for _, h := range heads {
			if err := out.Head(h); err != nil {
				return err
			}
		}
		if err := st.EachAuditEntry(ctx, out.Entry); err != nil {
			return err
		}
		return buffered.Flush()
	}))
}

// onStore runs work on cfg's store, beside a server if one runs.
func onStore(ctx context.Context, cfg config.Config, work func(context.Context, *store.Store) error) error {
	st, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- st.Run(running) }() // stopped and waited for below
	err = work(audit.By(ctx, "local:"+userName()), st)
	stop()
	return errors.Join(err, <-ended, st.Close())
}

// openStore opens cfg's store.
func openStore(ctx context.Context, cfg config.Config) (*store.Store, error) {
	path, err := store.Locate(cfg.Store.URL, cfg.DataDir)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, path, cfg.Store.Config, zap.NewNop(), prometheus.NewRegistry())
}

// auditReport is how a check is shown.
type auditReport struct {
	OK            bool       `json:"ok"`
	First         int64      `json:"first"` // entries that were read
	Last          int64      `json:"last"`
	Trimmed       int64      `json:"trimmed,omitempty"`    // the last that retention has deleted
	TrimmedAt     *time.Time `json:"trimmed_at,omitempty"` // when that was signed
	Heads         int        `json:"heads"`
	Signed        int64      `json:"signed"` // the last entry that a head vouches for
	SignedAt      *time.Time `json:"signed_at,omitempty"`
	SignedHash    string     `json:"signed_hash,omitempty"`
	Unsigned      int64      `json:"unsigned"`
	UnsignedSince *time.Time `json:"unsigned_since,omitempty"`
	From          int64      `json:"bad_from,omitempty"` // what is wrong first
	To            int64      `json:"bad_to,omitempty"`
	Problem       string     `json:"problem,omitempty"`
}

func showReport(r audit.Report) auditReport {
	shown := auditReport{OK: r.Bad == nil, First: r.First, Last: r.Last, Trimmed: r.Trimmed, Heads: r.Heads, Signed: r.Newest.Seq, Unsigned: r.Unsigned}
	if r.Anchor.Seq > 0 {
		shown.TrimmedAt = &r.Anchor.At
	}
	if r.Newest.Seq > 0 {
		shown.SignedAt, shown.SignedHash = &r.Newest.At, r.Newest.Hash.String()
	}
	if r.Bad != nil {
		shown.From, shown.To, shown.Problem = r.Bad.From, r.Bad.To, r.Bad.Error()
	} else if r.Unsigned > 0 {
		shown.UnsignedSince = &r.UnsignedSince
	}
	return shown
}

// writeReport shows a check to people. What is wrong is said by the error that ends the command.
func writeReport(w io.Writer, r auditReport) error {
	if r.Last == 0 && r.OK {
		_, err := fmt.Fprintln(w, "the audit trail is empty")
		return err
	}
	text := fmt.Sprintf("entries %d to %d follow each other\n", r.First, r.Last)
	if r.TrimmedAt != nil {
		text += fmt.Sprintf("entries up to %d were deleted as old, the last of %s\n", r.Trimmed, timeText(*r.TrimmedAt))
	}
	if r.SignedAt != nil {
		text += fmt.Sprintf("%d signed heads, the newest of %s vouches for entry %d, %s\n", r.Heads, timeText(*r.SignedAt), r.Signed, r.SignedHash)
	}
	if r.UnsignedSince != nil {
		text += fmt.Sprintf("%d entries since %s are not signed yet\n", r.Unsigned, timeText(*r.UnsignedSince))
	}
	_, err := io.WriteString(w, text)
	return err
}
