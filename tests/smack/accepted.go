package smack

import (
	"fmt"
	"maps"
	"slices"
)

// accepted are, per target, the tests that may fail, with the reason: what the test demands and why this server does otherwise. Each must fail when it is run:
// one that passes has to go from here.
var accepted = map[string]map[string]string{
	targetOwn:  {upload: elsewhere},
	targetMore: {upload: elsewhere},
}

const (
	upload    = "HttpFileUploadIntegrationTest.httpFileUploadTest"
	elsewhere = "it uploads over HTTPS to the server's name, which resolves nowhere here, and by a certificate of a CA that its JVM does not know; tests/upload_test.go does it"
)

// judge holds verdicts against the failures that are accepted, and returns what is not as it should be. Where whole is false, tests that were not run are no matter.
func judge(all []verdict, accepted map[string]string, whole bool) (problems []string) {
	if len(all) == 0 {
		return []string{"no test was run"}
	}
	run := map[string]bool{}
	for _, v := range all {
		run[v.test] = true
		_, ok := accepted[v.test]
		switch {
		case v.found == failed && !ok:
			problems = append(problems, fmt.Sprintf("%s %s failed: %s", v.spec, v.test, v.why))
		case v.found != failed && ok:
			problems = append(problems, fmt.Sprintf("%s %s is in the list of accepted failures, and did not fail", v.spec, v.test))
		}
	}
	for _, test := range slices.Sorted(maps.Keys(accepted)) {
		if whole && !run[test] {
			problems = append(problems, test+" is in the list of accepted failures, and there is no such test")
		}
	}
	return problems
}
