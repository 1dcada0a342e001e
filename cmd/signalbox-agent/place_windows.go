package main

import (
	"os"
	"path/filepath"
)

// defaultConfigDir is where the configuration of this machine lies.
func defaultConfigDir() string { return filepath.Join(os.Getenv("ProgramData"), "Signalbox Agent") }
