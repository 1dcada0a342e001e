package smack

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	good := verdict{spec: "XEP-0030", test: "Disco.info", found: passed}
	bad := verdict{spec: "XEP-0030", test: "Disco.items", found: failed, why: "no answer"}
	away := verdict{spec: "XEP-0045", test: "Room.join", found: skipped, why: "no rooms"}
	all := []verdict{good, bad, away}
	for _, test := range []struct {
		name     string
		all      []verdict
		accepted map[string]string
		whole    bool
		want     []string
	}{
		{"all as expected", all, map[string]string{"Disco.items": "why"}, true, nil},
		{"unexpected failure", all, nil, true, []string{"XEP-0030 Disco.items failed: no answer"}},
		{"accepted and passed", []verdict{good}, map[string]string{"Disco.info": "why"}, true, []string{"XEP-0030 Disco.info is in the list of accepted failures, and did not fail"}},
		{"accepted and not possible", []verdict{away}, map[string]string{"Room.join": "why"}, true, []string{"XEP-0045 Room.join is in the list of accepted failures, and did not fail"}},
		{"accepted and gone", []verdict{good}, map[string]string{"Disco.gone": "why"}, true, []string{"Disco.gone is in the list of accepted failures, and there is no such test"}},
		{"accepted and left out", []verdict{good}, map[string]string{"Disco.gone": "why"}, false, nil},
		{"nothing was run", nil, nil, false, []string{"no test was run"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, judge(test.all, test.accepted, test.whole)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
