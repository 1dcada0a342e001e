package feature

import (
	"crypto/sha1"
	"encoding/base64"
	"testing"
)

// TestCapsHashOfForms: forms are a part of the hash, in the order of XEP-0115 section 5.1, whatever theirs is.
func TestCapsHashOfForms(t *testing.T) {
	forms := []Form{{"urn:b", []Field{{"z", []string{"2", "1"}}, {"y", []string{"3"}}}}, {"urn:a", nil}}
	sum := sha1.Sum([]byte("server/im//Signalbox<urn:v<urn:a<urn:b<y<3<z<1<2<"))
	if got, want := capsHash(serverIdentity, []string{"urn:v"}, forms...), base64.StdEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("capsHash = %s, want %s", got, want)
	}
	const want = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:a&amp;</value></field><field var='v'><value>&lt;</value></field></x>"
	if got := string(appendForms(nil, []Form{{"urn:a&", []Field{{"v", []string{"<"}}}}})); got != want {
		t.Errorf("form\n got %s\nwant %s", got, want)
	}
}
