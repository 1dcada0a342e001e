package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// gathered returns the gauges that a collector shows.
func gathered(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	return got
}

func TestSpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if got := gathered(t, space{path}); len(got) != 1 {
		t.Errorf("without a database: %v, want the free space alone", got)
	}
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	alone := gathered(t, space{path})
	if err := os.WriteFile(path+"-wal", make([]byte, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	both := gathered(t, space{path})
	if a, b := alone["signalbox_store_database_bytes"], both["signalbox_store_database_bytes"]; a != 4096 || b != 4608 {
		t.Errorf("the database takes %v bytes, with its log %v, want 4096 and 4608", a, b)
	}
	if both["signalbox_store_free_bytes"] <= 0 {
		t.Errorf("free space: %v", both)
	}
	if got := gathered(t, space{filepath.Join(t.TempDir(), "gone", FileName)}); len(got) != 0 {
		t.Errorf("without a directory: %v, want nothing", got)
	}
}
