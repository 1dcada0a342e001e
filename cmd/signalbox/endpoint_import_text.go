package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"signalbox/internal/client"
	"signalbox/internal/portable"
)

// importReport is what an import did and what it did not.
type importReport struct {
	DryRun   bool              `json:"dry_run"`
	Accounts int               `json:"accounts"` // that can be registered
	Created  int               `json:"created"`
	Updated  int               `json:"updated"`
	Existing int               `json:"existing"`
	Disabled int               `json:"disabled"` // of the accounts: the other server did not let them log in
	Failed   []importFailure   `json:"failed"`
	Skipped  []importFailure   `json:"skipped"`           // accounts that cannot be endpoints
	Passed   map[string]int    `json:"passed_over"`       // what endpoints do not have
	Made     map[string]string `json:"secrets,omitempty"` // by id, where the server made one

	Requests int `json:"-"`
}

// importFailure is one account with the reason why it was not registered.
type importFailure struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

func (r *importReport) skip(a portable.Account, why string) {
	r.Skipped = append(r.Skipped, importFailure{a.Name + "@" + a.Host, why})
}

// take notes what became of a chunk, and returns what is worth another try.
func (r *importReport) take(items []client.BatchItem, result client.SavedEndpoints, again bool) (rest []client.BatchItem) {
	r.Created, r.Updated, r.Existing = r.Created+result.Created, r.Updated+result.Updated, r.Existing+result.Existing
	for i, one := range result.Items {
		switch {
		case one.Secret != "":
			r.Made[one.ID] = one.Secret
		case one.Problem == nil:
		case one.Problem.Code == "busy" && again && i < len(items):
			rest = append(rest, items[i])
		default:
			r.Failed = append(r.Failed, importFailure{one.ID, one.Problem.Error()})
		}
	}
	return rest
}

const maxListed = 20 // failures that are shown to people

// write shows the report to people.
func (r *importReport) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if r.DryRun {
		fmt.Fprintf(t, "would be registered\t%d\n", r.Accounts)
	} else {
		fmt.Fprintf(t, "registered\t%d\nupdated\t%d\nexist already\t%d\nfailed\t%d\n", r.Created, r.Updated, r.Existing, len(r.Failed))
	}
	if r.Disabled > 0 {
		fmt.Fprintf(t, "of them disabled\t%d\n", r.Disabled)
	}
	fmt.Fprintf(t, "skipped\t%d\n", len(r.Skipped))
	for _, name := range slices.Sorted(maps.Keys(r.Passed)) {
		fmt.Fprintf(t, "not taken over: %s\t%d\n", name, r.Passed[name])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	writeFailures(w, "failed", r.Failed)
	writeFailures(w, "skipped", r.Skipped)
	for _, id := range slices.Sorted(maps.Keys(r.Made)) {
		fmt.Fprintf(w, "secret of %s: %s\n", id, r.Made[id])
	}
	return nil
}

func writeFailures(w io.Writer, what string, list []importFailure) {
	for i, f := range list {
		if i == maxListed {
			fmt.Fprintf(w, "... and %d more that %s: -o json shows all\n", len(list)-maxListed, what)
			return
		}
		fmt.Fprintf(w, "%s: %s: %s\n", what, f.ID, f.Reason)
	}
}
