package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"signalbox/certs"
)

func certsCommand() *cobra.Command {
	return group("certs", "Certificate bundles: look into one, make one for a lab",
		"  signalbox certs inspect /etc/signalbox/certs/example.com.pem --domain xmpp.example.com",
		certsInspectCommand(), certsFingerprintCommand(), certsMakeCACommand())
}

func certsInspectCommand() *cobra.Command {
	var out output
	var opts certs.Options
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what is in a bundle and whether endpoints will accept it",
		Long: "Says what is in a bundle, whether endpoints will accept it, and what to do if not: then the status is 1.\n" +
			"With --domain it is also checked that the certificate covers that name.",
		Example: "  signalbox certs inspect /etc/signalbox/certs/example.com.pem --domain xmpp.example.com",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := certs.InspectFile(args[0], time.Now(), opts)
			if err := out.print(c.OutOrStdout(), in, in.WriteText); err != nil {
				return failed(err)
			}
			if !in.Accepted {
				return failed(fmt.Errorf("%s: %s", args[0], plural(len(in.Problems), "mistake")))
			}
			return nil
		},
	}
	c.Flags().StringVar(&opts.Domain, "domain", "", "name that the certificate must cover, as the key domain of the configuration")
	c.Flags().BoolVar(&opts.AllowSelfSigned, "allow-self-signed", false, "count a self-signed certificate as a warning, for labs")
	out.flag(c)
	return c
}

func certsFingerprintCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:     "fingerprint FILE",
		Short:   "Print the SHA-1 and SHA-256 thumbprints of the server's certificate in a bundle",
		Example: "  signalbox certs fingerprint /etc/signalbox/certs/example.com.pem",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := certs.InspectFile(args[0], time.Now(), certs.Options{AllowSelfSigned: true})
			if len(in.Certificates) == 0 {
				return failed(errors.Join(fmt.Errorf("%s: no certificate in it", args[0]), in.Problems))
			}
			at := slices.IndexFunc(in.Certificates, func(c certs.CertificateInfo) bool { return c.Role == certs.RoleLeaf })
			prints := in.Certificates[max(0, at)].Fingerprint // a file with a CA alone has that one
			return failed(out.print(c.OutOrStdout(), prints, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "SHA-1    %s\nSHA-256  %s\n", prints.SHA1, prints.SHA256)
				return err
			}))
		},
	}
	out.flag(c)
	return c
}

func certsMakeCACommand() *cobra.Command {
	var dir, name string
	var days int
	var force bool
	c := &cobra.Command{
		Use:   "make-ca NAME...",
		Short: "Make a private CA and a bundle for these names, for labs",
		Long: "Makes a private CA and one certificate by it for these host names and addresses. It writes ca.crt, which endpoints must trust, and NAME.pem, the bundle\n" +
			"for certs.dir, named after the first. The CA's key is thrown away: nothing else can be signed with it.",
		Example: "  signalbox certs make-ca xmpp.lab.example 192.0.2.10 --dir /etc/signalbox/certs",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if days < 1 {
				return fmt.Errorf("--days %d: must be at least 1", days)
			}
			opts := certs.CAOptions{Name: name, Names: args, LeafValid: time.Duration(days) * 24 * time.Hour}
			return failed(makeCA(c.OutOrStdout(), dir, force, opts))
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "folder to write to; made if it is missing")
	c.Flags().StringVar(&name, "ca-name", "", "name of the CA")
	c.Flags().IntVar(&days, "days", 397, "how long the certificate is valid; clients of today accept 397 days at most")
	c.Flags().BoolVar(&force, "force", false, "replace files that are there")
	return c
}

func makeCA(w io.Writer, dir string, force bool, opts certs.CAOptions) error {
	ca, bundle, err := certs.MakeCA(opts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	caFile, bundleFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, filepath.Base(opts.Names[0])+".pem")
	for _, path := range []string{caFile, bundleFile} {
		if _, err := os.Lstat(path); err == nil && !force {
			return fmt.Errorf("%s is there already; --force replaces it, and endpoints that trusted the old CA refuse the new one", path)
		}
	}
	if err := errors.Join(replaceFile(caFile, ca, 0o644), replaceFile(bundleFile, bundle, 0o600)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s  for the endpoints' trust stores\n%s  for certs.dir\n", caFile, bundleFile)
	return err
}

// replaceFile writes a file whole or not at all, so that a server that watches it never reads half of it.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
