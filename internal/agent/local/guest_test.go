package local

import (
	"context"
	"fmt"
	"io"
	"net"
)

// asGuest is set where this program plays a user of the socket.
const asGuest = "SIGNALBOX_TEST_GUEST"

// Users who are neither root nor the agent's own.
const (
	ann = 65534
	bob = 65533
)

// beGuest does what a user wants with a socket: "list", "end", or "hold", which opens as many connections as one user may and says nothing on them until they are closed.
func beGuest(mode string, args []string) (status int) {
	var err error
	switch path := args[0]; mode {
	case "list":
		var all []Session
		all, err = Sessions(context.Background(), path)
		fmt.Println(len(all))
	case "end":
		err = End(context.Background(), path, args[1])
	case "hold":
		err = hold(path)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func hold(path string) error {
	var open [perUser]net.Conn
	for i := range open {
		var err error
		if open[i], err = net.Dial("unix", path); err != nil {
			return err
		}
	}
	fmt.Println("open")
	for _, c := range open {
		if said, err := io.ReadAll(c); err != nil || len(said) > 0 {
			return fmt.Errorf("a connection ends with %q, %w", said, err)
		}
	}
	return nil
}
