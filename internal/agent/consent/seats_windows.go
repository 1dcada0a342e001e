package consent

import (
	"context"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"

	"signalbox/internal/agent/consent/dialog"
)

// Message boxes in the session of a user are shown by the system itself for a service: WTSSendMessageW. Built and vetted, not run by our tests.
var (
	wtsapi      = windows.NewLazySystemDLL("wtsapi32.dll")
	sendMessage = wtsapi.NewProc("WTSSendMessageW")
)

const (
	boxYesNo      = 0x00000004 // MB_YESNO
	boxOK         = 0x00000000 // MB_OK
	boxQuestion   = 0x00000020 // MB_ICONQUESTION
	boxSecond     = 0x00000100 // MB_DEFBUTTON2: no has the focus
	boxForeground = 0x00010000 // MB_SETFOREGROUND
	boxTopmost    = 0x00040000 // MB_TOPMOST
	answerOK      = 1          // IDOK
	answerYes     = 6          // IDYES
	answerNo      = 7          // IDNO
)

// systemSeats asks Terminal Services. Whether a screen is locked it does not say to all versions alike: an active session counts as open.
func systemSeats(string) seats {
	return func(context.Context) ([]seat, error) {
		var list *windows.WTS_SESSION_INFO
		var n uint32
		if err := windows.WTSEnumerateSessions(0, 0, 1, &list, &n); err != nil {
			return nil, fmt.Errorf("ask who is logged in: %w", err)
		}
		defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(list)))
		var found []seat
		for _, s := range unsafe.Slice(list, n) {
			if s.State == windows.WTSActive {
				id := s.SessionID
				found = append(found, seat{user: fmt.Sprint("session ", id), show: func(_ context.Context, t dialog.Task) (int, error) { return show(id, t) }})
			}
		}
		return found, nil
	}
}

// systemUsers finds nobody: users have no numbers here.
func systemUsers(context.Context) ([]uint32, error) { return nil, nil }

// show shows a message box. It cannot be taken back, and so outlives the end of who asked.
func show(session uint32, t dialog.Task) (int, error) {
	title, err := windows.UTF16FromString(t.Title)
	if err != nil {
		return 0, err
	}
	lines := t.Lines
	style := uintptr(boxYesNo | boxQuestion | boxSecond | boxForeground | boxTopmost)
	if t.Notice {
		style, lines = boxOK|boxForeground, append(lines, "OK ends the connection.")
	}
	text, err := windows.UTF16FromString(strings.Join(lines, "\r\n"))
	if err != nil {
		return 0, err
	}
	var answer uint32
	ok, _, err := sendMessage.Call(0, uintptr(session), uintptr(unsafe.Pointer(&title[0])), uintptr(2*(len(title)-1)),
		uintptr(unsafe.Pointer(&text[0])), uintptr(2*(len(text)-1)), style, uintptr(t.Seconds), uintptr(unsafe.Pointer(&answer)), 1)
	if ok == 0 {
		return 0, fmt.Errorf("show a message: %w", err)
	}
	switch answer {
	case answerYes, answerOK:
		return 0, nil
	case answerNo:
		return 1, nil
	}
	return dialog.Nothing, nil
}
