package control

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// SupervisedFlag tells signalbox turn that serve has started it: it inherits everything, see Inherit.
const SupervisedFlag = "supervised"

// firstFile is the first descriptor behind standard input, output and error: the control connection; sockets follow.
const firstFile = 3

// startTimeout bounds how long a child waits for its settings, and serve for a TURN process that has them.
const startTimeout = 20 * time.Second

// Inherited is what serve gives to its child.
type Inherited struct {
	Control  net.Conn // for Server.Serve; the child ends when it does
	Settings Settings
	UDP      []*net.UDPConn
	TCP      []net.Listener
	Streams  net.Listener // for ServeStreams; nil: there is none
}

// Inherit takes what serve has left open for this process, and reads the settings from the control connection. It may be called once.
func Inherit() (*Inherited, error) {
	c, err := connOf(os.NewFile(firstFile, "control"))
	if err != nil {
		return nil, fmt.Errorf("there is no control connection: signalbox serve starts this command: %w", err)
	}
	in := &Inherited{Control: c}
	if err := in.take(); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// take reads the first message, and takes the sockets that it names.
func (in *Inherited) take() error {
	if err := in.Control.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	// Nothing follows the settings until they are answered, so nothing is lost in the buffer.
	m, err := readMessage(bufio.NewReader(in.Control))
	if err == nil && (m.Do != doSettings || m.Settings == nil) {
		err = errMessage
	}
	if err == nil {
		err = in.Control.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	in.Settings = *m.Settings
	for i, s := range in.Settings.Sockets {
		if err := in.socket(s, os.NewFile(uintptr(firstFile+1+i), s.Addr)); err != nil {
			return fmt.Errorf("take over %s %s: %w", s.Kind, s.Addr, err)
		}
	}
	line, err := appendMessage(nil, message{Number: m.Number})
	if err == nil {
		_, err = in.Control.Write(line)
	}
	return err
}

// socket takes one socket over; f is closed.
func (in *Inherited) socket(s Socket, f *os.File) error {
	defer f.Close()
	switch s.Kind {
	case SocketUDP:
		c, err := net.FilePacketConn(f)
		if err != nil {
			return err
		}
		udp, ok := c.(*net.UDPConn)
		if !ok {
			return errors.Join(fmt.Errorf("it is a %T", c), c.Close())
		}
		in.UDP = append(in.UDP, udp)
		return nil
	case SocketTCP, SocketStreams:
		l, err := net.FileListener(f)
		if err != nil {
			return err
		}
		if s.Kind == SocketTCP {
			in.TCP = append(in.TCP, l)
		} else {
			in.Streams = l
		}
		return nil
	}
	return errors.New("nobody knows this kind of socket")
}

// Close closes what was taken.
func (in *Inherited) Close() error {
	errs := []error{in.Control.Close()}
	for _, c := range in.UDP {
		errs = append(errs, c.Close())
	}
	for _, l := range in.TCP {
		errs = append(errs, l.Close())
	}
	if in.Streams != nil {
		errs = append(errs, in.Streams.Close())
	}
	return errors.Join(errs...)
}

// connOf makes a connection of a socket; f is closed.
func connOf(f *os.File) (net.Conn, error) {
	if f == nil {
		return nil, os.ErrInvalid
	}
	defer f.Close()
	return net.FileConn(f)
}
