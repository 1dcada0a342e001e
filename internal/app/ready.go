package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"signalbox/internal/datadir"
	"signalbox/internal/telemetry"
)

// ReadyFile is the name of the file in data_dir that says on which addresses a running server listens: JSON, listener name -> list of addresses.
const ReadyFile = datadir.ReadyFile

// announce logs the addresses and writes the ready file, whole or not at all.
func (a *App) announce() (path string, err error) {
	addrs := a.Addrs()
	for _, name := range slices.Sorted(maps.Keys(addrs)) {
		for _, addr := range addrs[name] {
			a.log.Info("listening", telemetry.Listener(name, addr))
		}
	}
	text, err := json.Marshal(addrs)
	if err != nil {
		return "", fmt.Errorf("write addresses: %w", err)
	}
	path = filepath.Join(a.cfg.DataDir, ReadyFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("write ready file: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return "", fmt.Errorf("write ready file: %w", err)
	}
	return path, nil
}
