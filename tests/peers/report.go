package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Marks in docs/BENCHMARKS.md between which the report stands.
const (
	reportBegin = "<!-- written by make bench-peers: begin -->\n"
	reportEnd   = "<!-- written by make bench-peers: end -->\n"
)

// Report is the table of all measures, in Markdown: medians, smallest and largest value, and what the others need for one of ours.
func (r *Results) Report(servers []Server) string {
	var b strings.Builder
	head, line := "| measure | unit |", "| --- | --- |"
	for i, s := range servers {
		head, line = head+" "+s.Name+" |", line+" ---: |"
		if i > 0 {
			head, line = head+" / "+servers[0].Name+" |", line+" ---: |"
		}
	}
	b.WriteString(head + " must | aim |\n" + line + " --- | --- |\n")
	for _, m := range rows() {
		fmt.Fprintf(&b, "| %s | %s |", m.what, m.unit)
		ours, measured := r.median(servers[0].Name, m.key)
		for i, s := range servers {
			b.WriteString(" " + r.cell(s.Name, m.key) + " |")
			if i > 0 {
				theirs, ok := r.median(s.Name, m.key)
				b.WriteString(" " + ratio(theirs, ours, ok && measured && m.compared()) + " |")
			}
		}
		fmt.Fprintf(&b, " %s | %s |\n", m.must, m.aim)
	}
	return b.String()
}

// compared tells costs of the servers from what describes the measurement.
func (m row) compared() bool {
	return m.key != "failed" && m.key != "other" && m.key != "disk/sync" && m.key != "storm/again" && !strings.HasPrefix(m.key, "client/")
}

// cell is the median with the range, or a dash.
func (r *Results) cell(server, key string) string {
	m, ok := r.median(server, key)
	if !ok {
		return "-"
	}
	if key == "failed" {
		m = 0
		for _, v := range r.Values(server, key) {
			m += v
		}
		return figure(m)
	}
	low, high := m, m
	for _, v := range r.Values(server, key) {
		low, high = min(low, v), max(high, v)
	}
	if figure(low) == figure(high) {
		return figure(m)
	}
	return figure(m) + " (" + figure(low) + ".." + figure(high) + ")"
}

// figure writes three digits.
func figure(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func ratio(theirs, ours float64, ok bool) string {
	if !ok || ours <= 0 {
		return ""
	}
	return figure(theirs/ours) + "x"
}

// Machine says in one paragraph where and when the figures come from.
func Machine(ctx context.Context, servers []Server, scale Scale) string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(text), "model name\t: "); ok {
			model, _, _ = strings.Cut(after, "\n")
		}
	}
	cores := output(ctx, "nproc")
	var versions []string
	for _, s := range servers {
		v := output(ctx, "git", "rev-parse", "--short", "HEAD")
		if s.Package != "" {
			v = output(ctx, "dpkg-query", "-W", "-f", "${Version}", s.Package)
		}
		versions = append(versions, s.Name+" "+v)
	}
	return fmt.Sprintf("%s; %s cores (%s), Linux %s; %s; %d round(s).\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), cores, model,
		output(ctx, "uname", "-r"), strings.Join(versions, ", "), scale.Rounds)
}

// output is what a command prints, "?" if it cannot be run.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(out))
}

// Write puts a report between the marks of a document.
func Write(file, report string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), reportBegin)
	_, after, ok2 := strings.Cut(rest, reportEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no marks for the report", file)
	}
	return os.WriteFile(file, []byte(before+reportBegin+"\n"+report+"\n"+reportEnd+after), 0o644)
}
