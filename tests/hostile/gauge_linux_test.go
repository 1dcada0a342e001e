package hostile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// reading is what the server takes at one moment.
type reading struct {
	rss        int64 // bytes, of smaps_rollup
	heap       int64 // bytes in use by Go, which the memory of the database is no part of
	goroutines int
	files      int
	streams    int // XMPP streams
	sockets    int // connections of endpoints
}

func (r reading) String() string {
	return fmt.Sprintf("%.1f MiB (heap %.1f), %d goroutines, %d files, %d streams", float64(r.rss)/(1<<20), float64(r.heap)/(1<<20), r.goroutines, r.files, r.streams)
}

// most returns the greater of each figure.
func (r reading) most(o reading) reading {
	return reading{max(r.rss, o.rss), max(r.heap, o.heap), max(r.goroutines, o.goroutines), max(r.files, o.files), max(r.streams, o.streams), max(r.sockets, o.sockets)}
}

// read takes a reading.
func (s *stand) read(ctx context.Context) (r reading, err error) {
	m, err := s.metrics(ctx)
	if err != nil {
		return r, err
	}
	r.rss, err = rss(s.pid)
	r.heap = int64(m["go_memstats_heap_inuse_bytes"])
	r.goroutines, r.files = int(m["go_goroutines"]), int(m["process_open_fds"])
	r.streams = int(m["signalbox_xmpp_open_streams"])
	r.sockets = int(m[`signalbox_listen_connections{listener="tls"}`] + m[`signalbox_listen_connections{listener="xmpp"}`])
	return r, err
}

// metrics returns all metrics by name with labels.
func (s *stand) metrics(ctx context.Context) (map[string]float64, error) {
	text, err := s.api.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if f, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[name] = f
		}
	}
	if all["go_goroutines"] == 0 || all["process_open_fds"] == 0 {
		return nil, fmt.Errorf("/metrics has no goroutines or files: %.300s", text)
	}
	return all, nil
}

// rss returns the resident memory of a process.
func rss(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("Rss:")); ok {
			f := bytes.Fields(rest)
			kib, err := strconv.ParseInt(string(f[0]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("smaps_rollup of %d has no Rss: %s", pid, text)
}

// watch notes the greatest readings until stop is called, which returns them.
func (s *stand) watch() (stop func() reading) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var peak reading
	var watching sync.WaitGroup
	watching.Go(func() {
		ticks := time.NewTicker(25 * time.Millisecond)
		defer ticks.Stop()
		for i := 0; ; i++ {
			if i%10 == 0 {
				if r, err := s.read(ctx); err == nil { // one that fails shows elsewhere
					peak = peak.most(r)
				}
			}
			peak.rss = max(peak.rss, rssRoughly(s.pid))
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() reading {
		cancel()
		watching.Wait()
		return peak
	}
}

// rssRoughly returns the resident memory without the work and the locks that smaps_rollup costs the process.
func rssRoughly(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if f := bytes.Fields(text); err == nil && len(f) > 1 {
		pages, _ := strconv.ParseInt(string(f[1]), 10, 64)
		return pages * int64(os.Getpagesize())
	}
	return 0
}

// Margins within which the figures must return to what they were. The Go runtime keeps the descriptor of every goroutine that there ever was at one time, the
// bitmaps and span descriptors of the largest heap that it ever had (12 MiB of 310 were measured), and gives memory back to the system by and by. What the heap
// itself holds has no such excuse.
const (
	marginRSS          = 10 << 20
	marginHeap         = 5 << 20
	marginPerGoroutine = 1 << 10   // of the peak
	largePeak          = 128 << 20 // above the base: crowds that are asked for by the variables, never those of a plain run
	marginPeakParts    = 20        // this part of what a large peak is above the base
	marginFiles        = 4         // of the database and of the API's own connections
	marginGoroutines   = 6         // the same, and writers that are at work
)

// back says what has not returned to the base yet; empty: all has.
func (r reading) back(base, peak reading) string {
	var late []string
	more := int64(max(0, peak.goroutines-base.goroutines)) * marginPerGoroutine
	most := base.rss + marginRSS + more
	if grown := peak.rss - base.rss; grown > largePeak {
		most += grown / marginPeakParts
	}
	if r.rss > most {
		late = append(late, fmt.Sprintf("%d KiB of memory, at most %d", r.rss>>10, most>>10))
	}
	if most := base.heap + marginHeap + more; r.heap > most {
		late = append(late, fmt.Sprintf("%d KiB of heap, at most %d", r.heap>>10, most>>10))
	}
	if r.goroutines > base.goroutines+marginGoroutines {
		late = append(late, fmt.Sprintf("%d goroutines, before %d", r.goroutines, base.goroutines))
	}
	if r.files > base.files+marginFiles {
		late = append(late, fmt.Sprintf("%d files, before %d", r.files, base.files))
	}
	if r.streams > base.streams || r.sockets > base.sockets {
		late = append(late, fmt.Sprintf("%d streams on %d sockets, before %d on %d", r.streams, r.sockets, base.streams, base.sockets))
	}
	return strings.Join(late, "; ")
}
