package config

import (
	"regexp"
	"strings"
)

var passwordParameter = regexp.MustCompile(`(?i)(password=)[^&\s]*`)

// mask returns text with the passwords of a URL in it made unreadable. It works on text that is no well-formed URL too, because passwords with odd characters are
// often written unescaped.
func mask(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	rest = passwordParameter.ReplaceAllString(rest, "${1}xxxxx")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if user, _, hasPassword := strings.Cut(rest[:at], ":"); hasPassword {
			rest = user + ":xxxxx" + rest[at:]
		}
	}
	return scheme + "://" + rest
}
