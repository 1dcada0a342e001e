package datapath

import "signalbox/turn/wire"

// frames hands every whole frame of b to each, and returns how many bytes these were: what is behind them is the beginning of a frame, shorter than wire.MaxFrame.
// The error is wire.ErrFrame, or that of each; it ends the stream.
func frames(b []byte, each func(frame []byte) error) (used int, err error) {
	for len(b)-used >= 4 {
		n, err := wire.FrameLength([4]byte(b[used:]))
		if err != nil {
			return used, err
		}
		if len(b)-used < n {
			break
		}
		if err := each(b[used:][:n:n]); err != nil {
			return used, err
		}
		used += n
	}
	return used, nil
}
