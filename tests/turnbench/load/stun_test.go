package main

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"
)

// TestSign holds a signature against the one that other implementations compute of the same bytes.
func TestSign(t *testing.T) {
	b := begin(allocateRequest)
	copy(b[8:], make([]byte, 12))
	b = sign(add(b, attrUsername, []byte("user")), []byte("key"))
	const want = "0003" + "0020" + "2112a442" + "000000000000000000000000" + "00060004" + "75736572" + "00080014"
	if got := hex.EncodeToString(b[:len(b)-20]); got != want {
		t.Errorf("the message begins %s, want %s", got, want)
	}
	if !isMessage(b) {
		t.Error("a signed message is none")
	}
}

// TestAddress: the port and the address of RFC 5769 section 2.2.
func TestAddress(t *testing.T) {
	a := netip.MustParseAddrPort("192.0.2.1:32853")
	b := address(a)
	if got, want := hex.EncodeToString(b), "0001a147e112a643"; got != want {
		t.Errorf("address(%v) = %s, want %s", a, got, want)
	}
	if got, ok := parseAddress(b); !ok || got != a {
		t.Errorf("parseAddress = %v, %v, want %v", got, ok, a)
	}
}

func TestPayload(t *testing.T) {
	data := []byte("hello")
	for name, b := range map[string][]byte{
		"ChannelData":             channelData(0x4000, data),
		"ChannelData, no padding": channelData(0x4000, data)[:4+len(data)],
		"Data indication":         add(add(begin(dataIndication), attrPeer, make([]byte, 8)), attrData, data),
	} {
		if got, ok := payload(b); !ok || !bytes.Equal(got, data) {
			t.Errorf("%s: payload = %q, %v, want %q", name, got, ok, data)
		}
	}
	for name, b := range map[string][]byte{"empty": {}, "cut": channelData(0x4000, data)[:8], "a request": begin(allocateRequest)} {
		if got, ok := payload(b); ok {
			t.Errorf("%s: payload = %q, want none", name, got)
		}
	}
}
