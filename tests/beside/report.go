package beside

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Cell is the median with the range, or a dash.
func (r *Results) Cell(server, key string) string {
	m, ok := r.Median(server, key)
	if !ok {
		return "-"
	}
	low, high := m, m
	for _, v := range r.Values(server, key) {
		low, high = min(low, v), max(high, v)
	}
	if Figure(low) == Figure(high) {
		return Figure(m)
	}
	return Figure(m) + " (" + Figure(low) + ".." + Figure(high) + ")"
}

// Figure writes three digits.
func Figure(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Machine says where and when figures come from: time, cores, processor, kernel.
func Machine(ctx context.Context) string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(text), "model name\t: "); ok {
			model, _, _ = strings.Cut(after, "\n")
		}
	}
	return fmt.Sprintf("%s; %s cores (%s), Linux %s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), output(ctx, "nproc"), model, output(ctx, "uname", "-r"))
}

// Revision is the commit of this repository that is measured.
func Revision(ctx context.Context) string { return output(ctx, "git", "rev-parse", "--short", "HEAD") }

// PackageVersion is the version of an installed Debian package, "?" without it.
func PackageVersion(ctx context.Context, name string) string {
	return output(ctx, "dpkg-query", "-W", "-f", "${Version}", name)
}

// output is what a command prints, "?" if it cannot be run.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(out))
}

// marks are the lines of a document between which the report of a make target stands.
func marks(target string) (begin, end string) {
	return "<!-- written by make " + target + ": begin -->\n", "<!-- written by make " + target + ": end -->\n"
}

// Write puts the report of a make target between its marks in a document.
func Write(file, target, report string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := marks(target)
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks for the report of make %s", file, target)
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+report+"\n"+end+after), 0o644)
}
