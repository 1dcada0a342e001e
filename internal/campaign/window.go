package campaign

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // machines without a database of time zones know them as well

	"signalbox/internal/push"
)

// Window is hours of the day on some days of the week. The zero value is always open.
type Window struct {
	From  string   `json:"from"`           // HH:MM
	Until string   `json:"until"`          // HH:MM, of the next day if it is not after From
	Zone  string   `json:"zone,omitempty"` // IANA name; empty: UTC
	Days  []string `json:"days,omitempty"` // mon to sun, on which it begins; empty: every day
}

// Empty reports whether it is always open.
func (w Window) Empty() bool {
	return w.From == "" && w.Until == "" && w.Zone == "" && len(w.Days) == 0
}

// dayNames are in the order of time.Weekday.
var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (w Window) check() (errs push.FieldErrors) {
	if w.Empty() {
		return nil
	}
	for pointer, text := range map[string]string{"/window/from": w.From, "/window/until": w.Until} {
		if _, err := time.Parse("15:04", text); err != nil || len(text) != len("15:04") { // texts are compared, see on
			errs = append(errs, &push.FieldError{Pointer: pointer, Detail: "must be a time of day, HH:MM"})
		}
	}
	if _, err := time.LoadLocation(w.Zone); err != nil {
		errs = append(errs, &push.FieldError{Pointer: "/window/zone", Detail: "is not the name of a time zone, such as Europe/Paris"})
	}
	for i, d := range w.Days {
		if !slices.Contains(dayNames, d) {
			errs = append(errs, &push.FieldError{Pointer: fmt.Sprintf("/window/days/%d", i), Detail: "must be one of " + strings.Join(dayNames, ", ")})
		}
	}
	return errs
}

// Open reports whether the window is open at a time, and otherwise when it opens next. It has passed check.
func (w Window) Open(at time.Time) (open bool, next time.Time) {
	if w.Empty() {
		return true, time.Time{}
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		zone = time.UTC // it was there when the campaign was made
	}
	local := at.In(zone)
	// The window of yesterday may still be open; that of a week from now is the last that can be next.
	for day := -1; day <= 7; day++ {
		begin, end := w.on(local, day)
		if !w.begins(begin) || !at.Before(end) {
			continue
		}
		if at.Before(begin) {
			return false, begin
		}
		return true, time.Time{}
	}
	return false, at.Add(24 * time.Hour) // not reached: some day of eight is one of the week's
}

// on returns when the window of the day so many days later begins and ends.
func (w Window) on(local time.Time, days int) (begin, end time.Time) {
	at := func(text string, days int) time.Time {
		t, err := time.Parse("15:04", text)
		if err != nil {
			return local
		}
		return time.Date(local.Year(), local.Month(), local.Day()+days, t.Hour(), t.Minute(), 0, 0, local.Location())
	}
	if w.Until <= w.From {
		return at(w.From, days), at(w.Until, days+1)
	}
	return at(w.From, days), at(w.Until, days)
}

func (w Window) begins(begin time.Time) bool {
	return len(w.Days) == 0 || slices.Contains(w.Days, dayNames[begin.Weekday()])
}
