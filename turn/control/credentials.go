package control

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// maxExpiry is the last second that a username can carry: what does not fit is no username of ours.
const maxExpiry = 1 << 40

// Username returns the username of one side of a session: the end of the credential in seconds of Unix time, the session's id and the side, joined by colons.
func Username(expires time.Time, id string, side byte) string {
	return strconv.FormatInt(expires.Unix(), 10) + ":" + id + ":" + string(rune(side))
}

// ParseUsername reads what Username wrote; ok: it did. There is one spelling of each username.
func ParseUsername(name string) (expires time.Time, id string, side byte, ok bool) {
	first, rest, found := strings.Cut(name, ":")
	id, last, foundSide := strings.Cut(rest, ":")
	if !found || !foundSide || !validID(id) || last != "a" && last != "b" {
		return time.Time{}, "", 0, false
	}
	seconds, err := strconv.ParseInt(first, 10, 64)
	if err != nil || seconds < 0 || seconds > maxExpiry || strconv.FormatInt(seconds, 10) != first {
		return time.Time{}, "", 0, false
	}
	return time.Unix(seconds, 0), id, last[0], true
}

// Password returns the password of a username: base64 of HMAC-SHA-1 of the username under the secret, as TURN REST clients and servers compute it.
func Password(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
