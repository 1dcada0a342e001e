package certs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSurveyTellsOfAll: a bad required bundle, at which a server does not start, hides nothing of the others.
func TestSurveyTellsOfAll(t *testing.T) {
	good, bad := newPKI(t), newPKI(t)
	d := dir(t, map[string][]byte{
		testBase + ".pem": bad.leaf.certPEM(),
		"good.pem":        good.bundle(t),
		"other.pem":       []byte("hello"),
	})
	report, bundles, err := Survey(Config{Dir: d}, RequiredFor(testBase, testDomain), now)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]Code{}
	for _, f := range report.Files {
		got[f.Path] = f.Problems.Codes()
		if f.Required != (f.Path == d+"/"+testBase+".pem") {
			t.Errorf("%s: required = %v", f.Path, f.Required)
		}
	}
	want := map[string][]Code{d + "/" + testBase + ".pem": {NoKey}, d + "/good.pem": {}, d + "/other.pem": {NoPEM}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if len(bundles) != 1 || !bundles[0].Certificate.Equal(good.leaf.cert) {
		t.Errorf("bundles = %v, want the good one", bundles)
	}
	if _, _, err := Survey(Config{}, RequiredFor(testBase, testDomain), now); err == nil {
		t.Error("a configuration without a place for bundles was surveyed")
	}
}
