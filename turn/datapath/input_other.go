//go:build !linux

package datapath

import "errors"

const canTry = false

func readNow(uintptr, []byte) (n int, again bool, err error) { return 0, false, errors.ErrUnsupported }
