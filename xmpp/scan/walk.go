package scan

import "bytes"

// The functions here walk over elements that the scanner has accepted, so they look for ends only and check nothing.

// parseElement returns the element whose < is b[i] and the offset behind it.
func parseElement(b []byte, i int, around *surroundings, sc *scope) (Element, int) {
	tagEnd, closed := skipTag(b, i)
	end := tagEnd
	if !closed {
		end = skipContent(b, tagEnd)
	}
	nameEnd, _, _ := skipQName(b, i+1)
	return Element{raw: b[i:end:end], nameEnd: nameEnd - i, tagEnd: tagEnd - i, around: around, scope: sc}, end
}

// skipTag returns the offset behind the tag whose < is b[i], and whether it ends in />.
func skipTag(b []byte, i int) (int, bool) {
	for {
		i += bytes.IndexAny(b[i:], `>'"`)
		if b[i] == '>' {
			return i + 1, b[i-1] == '/'
		}
		i += 1 + bytes.IndexByte(b[i+1:], b[i]) + 1
	}
}

// skipContent returns the offset behind the end tag of the element whose content starts at b[i].
func skipContent(b []byte, i int) int {
	for depth := 1; depth > 0; {
		i += bytes.IndexByte(b[i:], '<')
		switch b[i+1] {
		case '!':
			i = skipCDATA(b, i)
		case '/':
			depth--
			i += bytes.IndexByte(b[i:], '>') + 1
		default:
			var closed bool
			if i, closed = skipTag(b, i); !closed {
				depth++
			}
		}
	}
	return i
}

func skipCDATA(b []byte, i int) int {
	return i + bytes.Index(b[i:], []byte(cdataEnd)) + len(cdataEnd)
}

// skipToElement returns the offset of the next start tag in the content at b[i], or -1 at the end of the element around.
func skipToElement(b []byte, i int) int {
	for {
		j := bytes.IndexByte(b[i:], '<')
		if j < 0 {
			return -1
		}
		i += j
		switch b[i+1] {
		case '/':
			return -1
		case '!':
			i = skipCDATA(b, i)
		default:
			return i
		}
	}
}
