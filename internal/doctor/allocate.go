package doctor

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"github.com/pion/logging"
	pturn "github.com/pion/turn/v2"

	"signalbox/turn/control"
	"signalbox/xmpp/feature"
)

// TURNSession is a session through which an examination relays: the credentials of its two sides.
type TURNSession struct {
	A, B Credentials
	End  func() // ends it; nil: it ends by itself
}

// Credentials are those of one side.
type Credentials struct{ Username, Password string }

// relaying makes an allocation for each side of a session through each way to the TURN server, and has them write to each other.
func (x *examination) relaying(ctx context.Context, ports []port) {
	const check = "allocations"
	if len(ports) == 0 {
		return
	}
	if x.Session == nil {
		x.well(check, "not tried: that takes the credentials of a session", `set SIGNALBOX_API_TOKEN, or give what "signalbox turn session open -o json" prints on the server as --turn-session`)
		return
	}
	s, err := x.Session(ctx)
	if err != nil {
		x.wrong(NoTURNSession, check, "no session could be opened to try them: "+err.Error(), "see what the API says; --turn-session takes a session that was opened elsewhere")
		return
	}
	if s.End != nil {
		defer s.End()
	}
	for _, p := range ports {
		x.relayThrough(ctx, p, s)
	}
}

// relayThrough tries one way. That it is closed was told before.
func (x *examination) relayThrough(ctx context.Context, p port, s TURNSession) {
	check := p.String() + ", relaying"
	a, t := x.allocate(ctx, p, s.A)
	if t != nil {
		x.troubled(check, t)
		return
	}
	defer a.close()
	b, t := x.allocate(ctx, p, s.B)
	if t != nil {
		x.troubled(check, t)
		return
	}
	defer b.close()
	if !x.exchange(ctx, a.relayed, b.relayed) {
		x.wrong(TURNLosesAll, check, "allocations are made at "+a.relayed.LocalAddr().String()+" and "+b.relayed.LocalAddr().String()+", and nothing passes between them",
			"see that the credentials of both sides are of one session, that both connections lead to one TURN server, and that turn.session_rate and turn.total_rate are not used up")
		return
	}
	x.well(check, "both sides of a session reach each other, at "+a.relayed.LocalAddr().String()+" and "+b.relayed.LocalAddr().String(), "")
}

func (x *examination) troubled(check string, t *trouble) {
	if !t.closed {
		x.wrong(t.code, check, t.detail, t.action)
	}
}

// allocation is one side's.
type allocation struct {
	relayed net.PacketConn
	client  *pturn.Client
	conn    net.Conn
}

func (a *allocation) close() {
	_ = a.relayed.Close() // which tells the server; it may be gone
	a.client.Close()
	_ = a.conn.Close()
}

// allocate makes an allocation through a port.
func (x *examination) allocate(ctx context.Context, p port, c Credentials) (*allocation, *trouble) {
	if p.network == "" {
		conn, t := x.secure(ctx, p, []string{alpnTURN})
		if t != nil {
			return nil, t
		}
		return x.allocateOn(conn, c)
	}
	conn, err := x.connect(ctx, p.network, p.addr)
	if err != nil {
		return nil, notReached(err)
	}
	return x.allocateOn(conn, c)
}

// allocateOn makes an allocation on a connection, which it closes if that fails. The connection's deadline bounds it.
func (x *examination) allocateOn(conn net.Conn, c Credentials) (*allocation, *trouble) {
	var packets net.PacketConn = pturn.NewSTUNConn(conn)
	if _, ok := conn.(*net.UDPConn); ok {
		packets = datagramsOf{conn}
	}
	client, err := pturn.NewClient(&pturn.ClientConfig{
		Conn: packets, TURNServerAddr: someServer.String(), Username: c.Username, Password: c.Password, RTO: askAgain,
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err == nil {
		err = client.Listen()
	}
	if err != nil {
		_ = conn.Close() // nothing was said on it
		return nil, notAllocated(err)
	}
	gone := time.AfterFunc(x.patience, func() { client.Close(); _ = conn.Close() }) // its transactions do not end with the connection
	relayed, err := client.Allocate()
	if !gone.Stop() {
		err = context.DeadlineExceeded
	}
	if err != nil {
		client.Close()
		_ = conn.Close() // the error is known
		return nil, notAllocated(err)
	}
	return &allocation{relayed, client, conn}, nil
}

// someServer stands for the server in a client that writes to a connection and to nobody else.
var someServer = &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3478}

// datagramsOf makes a connected socket one for a client that names the receiver of each datagram.
type datagramsOf struct{ net.Conn }

func (d datagramsOf) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := d.Read(b)
	return n, someServer, err
}

func (d datagramsOf) WriteTo(b []byte, _ net.Addr) (int, error) { return d.Write(b) }

// notAllocated says why there is no allocation.
func notAllocated(err error) *trouble {
	switch {
	case isTimeout(err), strings.Contains(err.Error(), "retransmi"), strings.Contains(err.Error(), "transaction closed"): // pion has no types for what does not come or cannot be sent again
		return &trouble{code: TURNSilent, detail: "no allocation is answered", action: turnAway}
	case strings.Contains(err.Error(), "error 401"), strings.Contains(err.Error(), "error 400"):
		return &trouble{
			code:   TURNCredentials,
			detail: "refuses the credentials: " + err.Error(),
			action: "set the same secret on both sides (turn.secret_file; turn.external_secret_file here and static-auth-secret or turn.rest_secret_file there), and compare their clocks: credentials end",
		}
	}
	return &trouble{code: TURNRefuses, detail: "makes no allocation: " + err.Error(), action: "see turn.max_allocations, the relay ports and the quotas, and the log of the TURN server"}
}

// exchange has two relayed addresses write to each other until both have heard the other; true: they have. The first write of each opens its own door alone.
func (x *examination) exchange(ctx context.Context, a, b net.PacketConn) bool {
	ctx, cancel := context.WithTimeout(ctx, x.patience)
	defer cancel()
	heardA, heardB := false, false
	for ctx.Err() == nil && (!heardA || !heardB) {
		_, errA := a.WriteTo([]byte("from a"), b.LocalAddr())
		_, errB := b.WriteTo([]byte("from b"), a.LocalAddr())
		if errA != nil || errB != nil {
			return false
		}
		heardA = heardA || hears(a)
		heardB = heardB || hears(b)
	}
	return heardA && heardB
}

// hearing is how long one side listens before both write again.
const hearing = 200 * time.Millisecond

func hears(c net.PacketConn) bool {
	if err := c.SetReadDeadline(time.Now().Add(hearing)); err != nil {
		return false
	}
	_, _, err := c.ReadFrom(make([]byte, maxBinding))
	return err == nil
}

// credentialTime is how long a credential for another TURN server is good, which is used at once.
const credentialTime = 10 * time.Minute

// allocateElsewhere makes an allocation at a server of turn.servers with the secret that it shares with us, as clients get credentials. It reports nothing where clients
// get none.
func (x *examination) allocateElsewhere(ctx context.Context, check string, s feature.Service) {
	secret, err := x.Config.TURN.Secret()
	switch {
	case err != nil:
		x.wrong(BadSecret, "turn.external_secret_file", err.Error(), "correct the file; it holds the secret of the servers of turn.servers")
		return
	case secret == nil:
		return
	}
	name := control.Username(x.now.Add(credentialTime), "doctor", 'a')
	conn, err := x.connectOther(ctx, s)
	if err != nil {
		return // was told
	}
	a, t := x.allocateOn(conn, Credentials{name, control.Password(secret, name)})
	if t != nil {
		x.wrong(t.code, check, t.detail, t.action)
		return
	}
	defer a.close()
	x.well(check+", allocation", "made at "+a.relayed.LocalAddr().String()+" with the secret of turn.external_secret_file", "")
}

// connectOther connects to a server of turn.servers. Its certificate must be good for its name, as clients verify it.
func (x *examination) connectOther(ctx context.Context, s feature.Service) (net.Conn, error) {
	conn, err := x.connect(ctx, s.Transport, hostPort(s))
	if err != nil || !secure(s) {
		return conn, err
	}
	c := tls.Client(conn, &tls.Config{ServerName: s.Host, NextProtos: []string{alpnTURN}, MinVersion: tls.VersionTLS12})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one to tell
		return nil, err
	}
	return c, nil
}
