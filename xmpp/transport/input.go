package transport

import "sync"

const (
	smallBytes = 256 // an idle connection holds this much and no more
	firstClass = 4 << 10
	classes    = 11 // 4 KiB, 8 KiB, ... 4 MiB
)

// buffers lends read buffers to connections that hold part of a stanza.
type buffers struct {
	pools [classes]sync.Pool
}

func (b *buffers) get(class int) *[]byte {
	if p, ok := b.pools[class].Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, firstClass<<class)
	return &p
}

func (b *buffers) put(class int, p *[]byte) { b.pools[class].Put(p) }

// input holds received bytes that the stream has not consumed. While there are none it needs no more than small.
type input struct {
	pool  *buffers
	n     int     // bytes held
	big   *[]byte // lent by pool; nil: small is in use
	class int     // of big
	small [smallBytes]byte
}

func (in *input) buffer() []byte {
	if in.big != nil {
		return *in.big
	}
	return in.small[:]
}

// held returns the bytes not yet consumed.
func (in *input) held() []byte { return in.buffer()[:in.n] }

// space returns where to read to; it is nil when limit bytes are held.
func (in *input) space(limit int) []byte {
	if in.n >= limit {
		return nil
	}
	if in.n == len(in.buffer()) {
		in.grow()
	}
	b := in.buffer()
	return b[in.n:min(len(b), limit)]
}

func (in *input) grow() {
	class := 0
	if in.big != nil {
		class = in.class + 1
	}
	if class == classes {
		return
	}
	next := in.pool.get(class)
	copy(*next, in.held())
	in.release()
	in.big, in.class = next, class
}

// consume drops the first n bytes and gives the big buffer back as soon as the rest fits into small.
func (in *input) consume(n int) {
	rest := in.held()[n:]
	in.n = len(rest)
	if in.big != nil && len(rest) <= smallBytes/2 {
		copy(in.small[:], rest)
		in.release()
		return
	}
	if n > 0 {
		copy(in.buffer(), rest)
	}
}

func (in *input) release() {
	if in.big != nil {
		in.pool.put(in.class, in.big)
		in.big = nil
	}
}
