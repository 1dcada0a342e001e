package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestVector holds a signature against a published one, which the libraries for receivers are tested with.
func TestVector(t *testing.T) {
	k := Key{Text: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	got, err := signatures([]Key{k}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signatures() = %q, %v", got, err)
	}
}

func TestEd25519Signature(t *testing.T) {
	k := NewKey(Ed25519, time.Now())
	got, err := signatures([]Key{k}, "evt_1", time.Unix(1614265330, 0), []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(k.Public(), "whpk_"))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "v1a,"))
	if err != nil || !ed25519.Verify(public, []byte("evt_1.1614265330.{}"), signature) {
		t.Errorf("signature %q does not fit the key %s: %v", got, k.Public(), err)
	}
	if other := NewKey(HMAC, time.Now()); other.Public() != "" || k.check() != nil || other.check() != nil {
		t.Error("a secret has a public key, or a new key is not good")
	}
}

func TestExpiredKeysDoNotSign(t *testing.T) {
	now := time.Now()
	current, old, over := NewKey(HMAC, now), NewKey(HMAC, now), NewKey(HMAC, now)
	old.Expires, over.Expires = now.Add(time.Second), now
	got, err := signatures([]Key{current, old, over}, "evt_1", now, nil)
	if err != nil || len(strings.Fields(got)) != 2 {
		t.Errorf("signatures() = %q, %v, want two", got, err)
	}
	if _, err := signatures([]Key{over}, "evt_1", now, nil); err == nil {
		t.Error("an event is sent without a signature")
	}
}

func TestRotate(t *testing.T) {
	now := time.Now()
	keys := []Key{NewKey(HMAC, now)}
	for range 2 * MaxKeys {
		keys = rotate(keys, NewKey(HMAC, now), now, time.Hour)
	}
	if len(keys) != MaxKeys || !keys[0].Expires.IsZero() || !keys[1].Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("%d keys after many changes, the newest until %v, the next until %v", len(keys), keys[0].Expires, keys[1].Expires)
	}
	if keys = rotate(keys, NewKey(HMAC, now), now, 0); len(keys) != 1 {
		t.Errorf("%d keys after a change that ends the others at once, want 1", len(keys))
	}
}

func TestKeyFile(t *testing.T) {
	good := NewKey(HMAC, time.Now()).Text
	private := NewKey(Ed25519, time.Now()).Text
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		keys       int
		mistake    string
	}{
		{"one", good + "\n", 0o600, 1, ""},
		{"two kinds, Windows lines", good + "\r\n\r\n" + private, 0o400, 2, ""},
		{"empty", "\n", 0o600, 0, "has 0 keys"},
		{"too many", strings.Repeat(good+"\n", MaxKeys+1), 0o600, 0, "has 6 keys"},
		{"open to others", good, 0o640, 0, "chmod 600"},
		{"no prefix", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", 0o600, 0, "line 1 begins neither with whsec_ nor with whsk_"},
		{"not base64", good + "\nwhsec_!", 0o600, 0, "line 2 is not base64"},
		{"too short", "whsec_c2hvcnQ=", 0o600, 0, "has 5 bytes, 24 to 64"},
		{"no private key", "whsk_c2hvcnQ=", 0o600, 0, "is no ed25519 key"},
		{"a public key of another", private[:len(private)-8] + "AAAAAAA=", 0o600, 0, "is no ed25519 key"},
		{"long", strings.Repeat("x", maxKeyFile+1), 0o600, 0, "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(tc.text), tc.mode); err != nil {
				t.Fatal(err)
			}
			keys, err := LoadKeys(path)
			if len(keys) != tc.keys || (err == nil) != (tc.mistake == "") || err != nil && !strings.Contains(err.Error(), tc.mistake) {
				t.Errorf("LoadKeys() = %d keys, %v, want %d, %q", len(keys), err, tc.keys, tc.mistake)
			}
			if err != nil && strings.Contains(err.Error(), good) {
				t.Error("the error tells the secret")
			}
		})
	}
}

func TestKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.secret")
	first, err := LoadOrCreateKeys(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreateKeys(path, time.Now())
	if err != nil || len(again) != 1 || again[0].Text != first[0].Text {
		t.Errorf("the second call returns %v, %v, want the key of the first", again, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v, want mode 0600", info, err)
	}
}
