package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"signalbox/internal/config"
	"signalbox/internal/telemetry"
)

const (
	defaultConfig = "/etc/signalbox/signalbox.yaml"
	envConfig     = "SIGNALBOX_CONFIG"
)

// settings are the flags of commands that work with the server's configuration.
type settings struct {
	file string
	set  []string
}

func (s *settings) flags(c *cobra.Command) {
	c.Flags().StringVarP(&s.file, "config", "c", "", "configuration file (YAML); "+envConfig+" or "+defaultConfig+" if not given")
	c.Flags().StringArrayVar(&s.set, "set", nil, "key=value over the file and the environment; may be repeated")
}

// source says where the configuration is. Only the file that nobody named may be missing.
func (s *settings) source() config.Source {
	src := config.Source{File: s.file, Environ: os.Environ(), Set: s.set}
	if src.File == "" {
		src.File = os.Getenv(envConfig)
	}
	if src.File == "" {
		src.File, src.Optional = defaultConfig, true
	}
	return src
}

// load reads and validates the configuration. Its mistakes end the program with their own status.
func (s *settings) load() (config.Config, []string, error) {
	src := s.source()
	cfg, warnings, err := config.Load(src)
	if err != nil {
		err = marked(exitConfig, errors.Join(fmt.Errorf("the configuration cannot be used (%s)", fileName(src)), err))
	}
	return cfg, warnings, err
}

// begin loads the configuration and logs that a server starts with it.
func (s *settings) begin(c *cobra.Command) (config.Config, *zap.Logger, zap.AtomicLevel, error) {
	cfg, warnings, err := s.load()
	if err != nil {
		return cfg, nil, zap.AtomicLevel{}, err
	}
	log, level, err := telemetry.NewLogger(cfg.Log, c.ErrOrStderr())
	if err != nil {
		return cfg, nil, level, marked(exitConfig, err)
	}
	log.Info("starting", telemetry.Version(build().Version), telemetry.File(s.source().File))
	for _, w := range warnings {
		log.Warn("configuration", telemetry.Detail(w))
	}
	tuneMemory()
	return cfg, log, level, nil
}

// fileName names the file of a configuration, and says so if nobody named one and none is there.
func fileName(src config.Source) string {
	if _, err := os.Stat(src.File); src.Optional && errors.Is(err, fs.ErrNotExist) {
		return src.File + ", which does not exist; --config names another"
	}
	return src.File
}
