package listen

import "testing"

func TestConnectionsWithinFiles(t *testing.T) {
	for _, tt := range []struct {
		wanted int
		files  uint64
		want   int
	}{
		{200_000, 1 << 20, 200_000},
		{200_000, 20_000, 18_000},
		{200_000, 1024, 922},
		{200_000, 256, 192},
		{10, 256, 10},
		{200_000, 60, 1},
		{200_000, 1<<64 - 1, 200_000}, // no limit
	} {
		if got := connectionsWithin(tt.wanted, tt.files); got != tt.want {
			t.Errorf("connectionsWithin(%d, %d) = %d, want %d", tt.wanted, tt.files, got, tt.want)
		}
	}
}
