package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signalbox/internal/app"
)

// version is the release, set by the linker: -ldflags "-X main.version=v1.2.3".
var version string

// build says what this program is: what the linker was told, else what the toolchain knows.
func build() app.Version {
	v := app.Version{Version: version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	if v.Version == "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	if v.Version == "" {
		v.Version = "devel"
	}
	return v
}

func versionCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  signalbox version -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := build()
			return failed(out.print(c.OutOrStdout(), versionData(), func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "signalbox %s %s/%s %s\n", v.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
				return err
			}))
		},
	}
	out.flag(c)
	return c
}
