package transfer

import (
	"errors"

	"signalbox/internal/channel"
)

// ErrBusy refuses a further transfer.
var ErrBusy = channel.Refuse(channel.CodeTooLarge, "%d transfers run already on this channel", MaxTransfers)

// errClosed ends what is under way when the channel ends.
var errClosed = errors.New("the channel has ended")

func cancelled() *channel.Error {
	return channel.Refuse(channel.CodeCancelled, "the other side has given it up")
}

// failed tells the other side why a transfer is over.
func failed(number int, err error) channel.Transfer {
	var refusal *channel.Error
	if !errors.As(err, &refusal) {
		refusal = channel.Refuse(channel.CodeFailed, "%v", err)
	}
	return channel.Transfer{Failed: &channel.TransferFailed{Number: number, Error: refusal}}
}
