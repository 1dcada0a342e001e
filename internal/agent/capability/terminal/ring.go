package terminal

import "signalbox/internal/channel"

// ring keeps the last bytes of an output, which are counted from its beginning.
type ring struct {
	kept [channel.ScrollBack]byte
	end  int64 // bytes that were written
}

// start is the first byte that is kept.
func (r *ring) start() int64 { return max(0, r.end-int64(len(r.kept))) }

func (r *ring) write(p []byte) {
	for len(p) > 0 {
		n := copy(r.kept[r.end%int64(len(r.kept)):], p)
		r.end += int64(n)
		p = p[n:]
	}
}

// read copies what was written from byte from on, which must be kept, as far as it fits.
func (r *ring) read(from int64, p []byte) (n int) {
	for n < len(p) && from < r.end {
		at := int(from % int64(len(r.kept)))
		end := min(len(r.kept), at+int(r.end-from))
		m := copy(p[n:], r.kept[at:end])
		n += m
		from += int64(m)
	}
	return n
}
