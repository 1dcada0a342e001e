package control

import (
	"testing"
	"time"
)

// TestPassword is held against openssl: printf %s NAME | openssl dgst -sha1 -hmac SECRET -binary | base64.
func TestPassword(t *testing.T) {
	name := Username(time.Unix(1700000000, 999), "ses-1", SideB)
	if name != "1700000000:ses-1:b" {
		t.Errorf("Username() = %q", name)
	}
	if got, want := Password([]byte("0123456789abcdef"), name), "urmPyuM/ORiRDJK9Lom5I+mqQts="; got != want {
		t.Errorf("Password() = %q, want %q", got, want)
	}
}

func TestUsernames(t *testing.T) {
	for name, want := range map[string]bool{
		"1700000000:ses-1:a": true, "0:A_z-9:b": true,
		"": false, ":": false, "::": false, "1700000000:ses-1": false, "1700000000:ses-1:c": false, "1700000000:ses-1:ab": false, "1700000000::a": false,
		"1700000000:ses-1:a:": false, "1700000000:x:ses-1:a": false, "+1700000000:ses-1:a": false, "01700000000:ses-1:a": false, "-1:ses-1:a": false,
		"99999999999999:ses-1:a": false, "1e9:ses-1:a": false, " 1:ses-1:a": false, "1:ses.1:a": false, "1:ses\x00:a": false,
		"1:0123456789012345678901234567890123456789012345678901234567890123:a": true, "1:01234567890123456789012345678901234567890123456789012345678901234:a": false,
	} {
		expires, id, side, ok := ParseUsername(name)
		if ok != want {
			t.Errorf("ParseUsername(%q) = %v, want %v", name, ok, want)
		}
		if ok && Username(expires, id, side) != name {
			t.Errorf("Username() of what was read from %q = %q", name, Username(expires, id, side))
		}
	}
}

// FuzzParseUsername: what is accepted has one spelling.
func FuzzParseUsername(f *testing.F) {
	f.Add("1700000000:ses-1:a")
	f.Add("1:2:3:4")
	f.Fuzz(func(t *testing.T, name string) {
		if expires, id, side, ok := ParseUsername(name); ok && Username(expires, id, side) != name {
			t.Errorf("%q and %q are the same user", name, Username(expires, id, side))
		}
	})
}
