package signalling

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/xmpp/scan"
)

const anyWay = FromTechnician | FromEndpoint | ToTechnician | ToEndpoint

// rewritten holds what was read against what is written of it: the same in both spellings, and the same again from there on. What is long only once it is escaped may be refused.
func rewritten(t *testing.T, m Message) {
	t.Helper()
	inJSON, errJSON := AppendJSON(nil, m)
	inXML, errXML := AppendXML(nil, m)
	if tooLarge := (&Error{Code: TooLarge}); errJSON != nil && !errors.Is(errJSON, tooLarge) || errXML != nil && !errors.Is(errXML, tooLarge) {
		t.Fatalf("%#v was read and cannot be written: %v, %v", m, errJSON, errXML)
	}
	if errJSON == nil {
		again, err := ParseJSON(inJSON, anyWay)
		if diff := cmp.Diff(m, again); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", inJSON, err, diff)
		}
	}
	if errXML == nil {
		again, err := parseXML(t, inXML, anyWay)
		if diff := cmp.Diff(m, again); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", inXML, err, diff)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, m := range samples() {
		b, err := AppendJSON(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"end","id":"ses_06d5wq2k40000","reason":"a","reason":"b"}`))
	f.Add([]byte(`{"type":"sdp","id":"ses_06d5wq2k40000","kind":"offer","sdp":"\ud800","peer":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		m, err := ParseJSON(data, anyWay)
		if !bytes.Equal(before, data) {
			t.Fatal("what was read was changed")
		}
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Code == "" || e.Detail == "" || m != nil) {
			t.Fatalf("ParseJSON = %v, %v, want an *Error with code and detail", m, err)
		}
		if err == nil {
			rewritten(t, m)
		}
	})
}

func FuzzXML(f *testing.F) {
	for _, m := range samples() {
		b, err := AppendXML(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("<s:offer xmlns:s='urn:signalbox:session:1' id='ses_06d5wq2k40000'><s:grant><![CDATA[<]]></s:grant>\n</s:offer>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		st, err := scan.Parse(raw, scan.Limits{Bytes: 1 << 20})
		if err != nil {
			t.Skip()
		}
		m, err := ParseXML(st.Element(), anyWay)
		if e := (*Error)(nil); err != nil && (!errors.As(err, &e) || e.Code == "" || e.Detail == "" || m != nil) {
			t.Fatalf("ParseXML = %v, %v, want an *Error with code and detail", m, err)
		}
		if err == nil {
			rewritten(t, m)
		}
	})
}

// trusting takes every signature, so that what is behind it is reached. It implements Verifier.
type trusting struct{}

func (trusting) Verify(string, []byte, []byte) bool { return true }

func FuzzGrant(f *testing.F) {
	good, err := Seal(key("server"), grant())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(sealed(`{}`))
	f.Add("sbg1..")
	f.Fuzz(func(t *testing.T, text string) {
		payload, _, err := split(text)
		if err != nil {
			return
		}
		in, bad := readJSON(payload)
		if bad != nil {
			return
		}
		jid, _, _ := in.value(field{name: "endpoint"})
		g, err := Open(trusting{}, text, jid, at(0).AddDate(-3000, 0, 0))
		if err != nil {
			return
		}
		again, err := Seal(key("server"), g)
		if errors.Is(err, &Error{Code: TooLarge}) {
			return
		}
		if err != nil {
			t.Fatalf("%+v was opened and cannot be sealed: %v", g, err)
		}
		got, err := Open(key("server"), again, g.Endpoint, at(0).AddDate(-3000, 0, 0))
		if diff := cmp.Diff(g, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}
